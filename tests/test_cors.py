"""Pages of other origins: which hear an answer, as the headers say and as a real browser does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from function.errors import InvalidSetting
from function.security.cors import Cors
from tests.doors import start_door
from tests.processes import LiveServer, QuietHandler, Reply, on_loopback
from tests.test_access import KEYS

APP = "https://app.example.com"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def server(
    request: pytest.FixtureRequest, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("cors")
    server = start_door(
        *(request.param, compiled_folder, folder),
        CORS_ALLOW_ORIGINS=f"{APP}, http://localhost:3000/",
        AUTH="api-key",
        API_KEYS=KEYS,
    )
    yield server
    server.stop()


def ask(server: LiveServer, origin: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.request("/predict", {"text": "lovely"}, headers={"Origin": origin, **named})


@pytest.mark.parametrize("origin", [APP, "http://localhost:3000", APP.upper()])
def test_an_allowed_origin_hears_answers_and_errors_alike(server: LiveServer, origin: str) -> None:
    for key, status in (("key of the app", 200), ("wrong", 401), ("key-of-the-deployer", 403)):
        reply = ask(server, origin, X_API_Key=key)
        assert reply.status == status
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in reply.headers["Vary"]
        assert "X-Request-ID" in reply.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        f"{APP}.evil.com",
        "http://app.example.com",
        f"{APP}:8443",
        "https://xapp.example.com",
        "null",
        "*",
    ],
)
def test_another_origin_hears_nothing(server: LiveServer, origin: str) -> None:
    reply = ask(server, origin, X_API_Key="key of the app")
    assert reply.status == 200 and "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["Vary"] == "Origin"  # a cache must not keep it for the others


@pytest.mark.parametrize("path", ["/predict", "//predict/", "/models/refresh", "/health"])
def test_a_preflight_needs_no_key_and_says_what_may_be_asked(server: LiveServer, path: str) -> None:
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST"}
    reply = server.request(path, method="OPTIONS", headers=headers)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    methods = reply.headers["Access-Control-Allow-Methods"]
    assert ("POST" in methods) is (path != "/health")
    allowed = reply.headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type", "x-api-key"} <= {*allowed.split(", ")}
    assert int(reply.headers["Access-Control-Max-Age"]) > 0


def test_options_that_are_no_preflight_need_a_key_as_ever(server: LiveServer) -> None:
    for headers in ({"Origin": APP}, {"Access-Control-Request-Method": "POST"}):
        assert server.request("/predict", method="OPTIONS", headers=headers).status == 401


def test_it_is_off_where_nothing_is_said(compiled_folder: Path, tmp_path: Path) -> None:
    server = start_door("serve", compiled_folder, tmp_path)
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST"}
    for reply in (ask(server, APP), server.request("/predict", method="OPTIONS", headers=headers)):
        assert not [name for name in reply.headers if name.startswith("Access-Control")]
        assert "Vary" not in reply.headers
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    server.stop()


def test_all_may_be_allowed_as_no_cookie_has_a_part_in_it() -> None:
    said = dict(Cors("*").headers({"origin": "https://any.example"}))
    assert said["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "given",
    [
        "app.example.com",
        "https://app.example.com/path",
        "https://*.example.com",
        "https://user@a.example",
        "*, https://a.example",
        "null",
        "https://",
    ],
)
def test_what_is_no_origin_is_refused(given: str) -> None:
    with pytest.raises(InvalidSetting, match="CORS_ALLOW_ORIGINS"):
        Cors(given)


PAGE = """<!doctype html><title>x</title><pre id="told">waiting</pre><script>
async function ask(key, url) {{
  try {{
    const reply = await fetch(url, {{
      method: 'POST', body: JSON.stringify({{text: 'lovely'}}),
      headers: {{'Content-Type': 'application/json', 'X-API-Key': key}}
    }});
    return [reply.status, reply.headers.get('X-Request-ID') !== null, await reply.json()];
  }} catch (error) {{ return [String(error)]; }}
}}
(async () => {{
  const told = [await ask('key of the app', '{url}/predict'), await ask('x', '{url}/predict')];
  document.getElementById('told').textContent = JSON.stringify(told);
}})();
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_browser_tells_its_page_where_the_origin_is_allowed(
    compiled_folder: Path, tmp_path: Path, is_allowed: bool
) -> None:
    pages: dict[str, str] = {}

    class Pages(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

    with on_loopback(Pages) as origin:
        server = start_door(
            *("serve", compiled_folder, tmp_path),
            CORS_ALLOW_ORIGINS=origin if is_allowed else APP,
            AUTH="api-key",
            API_KEYS=KEYS,
        )
        pages["/page"] = PAGE.format(url=server.url)
        browser = [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--disable-background-networking", f"--user-data-dir={tmp_path}/browser"),
            *("--virtual-time-budget=10000", f"{origin}/page"),
        ]
        shown = subprocess.run(browser, capture_output=True, text=True, timeout=60).stdout
        server.stop()
    told = json.loads(re.search(r'<pre id="told">(.*?)</pre>', shown, re.DOTALL)[1])  # type: ignore[index]
    if is_allowed:
        (status, has_id, answer), (refused, _, problem) = told
        assert (status, has_id, answer["sentiment"]) == (200, True, "positive")
        assert (refused, problem["status"]) == (401, 401)
    else:
        assert told == [["TypeError: Failed to fetch"]] * 2
