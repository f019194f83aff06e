"""Debian's Chromium, driven over a pipe by the DevTools protocol: no package for it, no port.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
PATIENCE_SECONDS = 10.0
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
    *("--hide-scrollbars", "--remote-debugging-pipe", "--lang=en"),
)

_ASKED = (
    "(() => { try { const found = SCRIPT; return found?.nodeType ? true : found } catch {} })()"
)


class Browser:
    """One process; each page has storage and cache of its own."""

    def __init__(self, folder: Path) -> None:
        """``folder`` has its profile."""
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        opened = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", opened, "bash", str(CHROMIUM), *_OPTIONS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={folder}/profile", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = os.fdopen(ours_in, "rb", 0), os.fdopen(ours_out, "wb", 0)
        self._ids = count(1)
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """One command and its answer; what happens meanwhile is kept in ``events``."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            received = self._received()
            if received.get("id") == number:
                assert "error" not in received, (method, received["error"])
                return received["result"]
            if "method" in received:
                self.events.append(received)

    def _received(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = self._in.read(1_048_576)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def close(self) -> None:
        self.send("Browser.close")
        self._process.wait(30)
        self._in.close()
        self._out.close()

    @contextmanager
    def page(
        self, url: str, width: int = 1280, height: int = 800, scheme: str = "light"
    ) -> Iterator[Page]:
        """A page that is there, in a window of its own."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)[
            "sessionId"
        ]
        page = Page(self, attached)
        for domain in ("Page", "Runtime", "Log", "DOM"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        page.prefer(scheme)
        page.open(url)
        try:
            yield page
        finally:
            self.send("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """What a user sees and does."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def send(self, method: str, **parameters: Any) -> Any:
        return self._browser.send(method, self._session, **parameters)

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme: str) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.send("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """The expression's value, once there is one that counts."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := self.run(_ASKED.replace("SCRIPT", script)):
                return value
            time.sleep(0.02)
        raise AssertionError(f"{script}\n{self.run('document.body.innerText')}\n{self.problems()}")

    def text(self, selector: str) -> str:
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Into a field, as a keyboard or a paste would."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        given = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        if key == "Enter":
            given["text"] = "\r"
        self.send("Input.dispatchKeyEvent", type="keyDown", **given)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def choose_file(self, selector: str, file: Path) -> None:
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def problems(self) -> list[str]:
        """What the console has to say: violations, exceptions, errors; answers of 4xx and 5xx are
        none."""
        self.run("0")
        found = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and _is_told(params["entry"]):
                found.append(params["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] == "error":
                found.append(str(params["args"]))
        return found

    def requested(self) -> list[str]:
        """The addresses of all that the page has loaded or asked."""
        found: list[str] = self.run("performance.getEntriesByType('resource').map((it) => it.name)")
        return found

    def screenshot(self, file: Path, **clip: float) -> None:
        more = {"clip": {**clip, "scale": 1}} if clip else {}
        shown = self.send("Page.captureScreenshot", captureBeyondViewport=True, **more)
        file.write_bytes(base64.b64decode(shown["data"]))


def _is_told(entry: dict[str, Any]) -> bool:
    return entry["source"] != "network" and entry["level"] in ("warning", "error")
