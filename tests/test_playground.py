"""The playground and the documentation as a real browser shows them."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.browser import CHROMIUM, Browser, Page
from tests.doors import start_door
from tests.gateways import explained, front, late, starting
from tests.processes import LiveServer
from tests.test_access import KEYS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")

AXE_SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"
PAINTED = (
    "[...document.querySelectorAll('#ink mark, #ink .unknown')]"
    ".map((it) => [it.className, it.textContent])"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def server(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = start_door("serve", compiled_folder, tmp_path_factory.mktemp("served"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(
    compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("guarded")
    server = start_door("serve", compiled_folder, folder, AUTH="api-key", API_KEYS=KEYS)
    yield server
    server.stop()


def axe() -> str:
    """The script, which is the one that was looked at."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None and spec.submodule_search_locations, "make test installs it"
    script = (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == AXE_SHA256
    return script.decode()


def serious_faults(page: Page) -> list[Any]:
    page.run(f"{axe()}; 0")
    found = page.run("axe.run().then((found) => JSON.stringify(found.violations))")
    return [
        (fault["id"], [node["html"][:120] for node in fault["nodes"]])
        for fault in json.loads(found)
        if fault["impact"] in ("serious", "critical")
    ]


def sideways(page: Page) -> bool:
    """Whether one has to scroll to the side."""
    wide: bool = page.run("document.documentElement.scrollWidth > innerWidth")
    return wide


def test_it_answers_as_one_types_and_marks_the_words_that_decided(
    browser: Browser, server: LiveServer
) -> None:
    with front(server) as url, browser.page(url) as page:
        page.type("#text", "💚 Lovely, not qwxyz")
        page.wait("document.querySelector('#ink mark.against')")
        assert page.text("#label") == "positive"
        assert page.text("#confidence").endswith("%")
        bars = page.run("[...document.querySelectorAll('#bars .name')].map((it) => it.innerText)")
        assert set(bars) == {"negative", "neutral", "positive"} and bars[0] == "positive"
        assert page.run(PAINTED) == [["for", "Lovely"], ["against", "not"], ["unknown", "qwxyz"]]
        heavy, light = page.run(
            "[...document.querySelectorAll('#ink mark')]"
            ".map((it) => it.style.getPropertyValue('--share'))"
        )
        assert float(heavy) == 1 > float(light) > 0
        assert page.text("#unknown-terms") == "unknown: qwxyz"
        assert "+1.50" in page.text("#terms") and "\u22120.90" in page.text("#terms")
        page.wait("document.querySelector('#told').textContent.includes('lovely')")
        assert page.run("document.querySelector('#ink').innerText.trim()") == "💚 Lovely, not qwxyz"
        page.type("#text", " x")  # what is marked stays so while the next answer is not there yet
        assert page.run(PAINTED)[0] == ["for", "Lovely"]
        page.click("#bars button[data-label='negative']")
        page.wait("document.querySelector('#why-title').innerText === 'Why negative'")
        assert page.problems() == []


def test_an_answer_that_comes_too_late_is_dropped(browser: Browser, server: LiveServer) -> None:
    with front(server, late(b'"terrible"', 0.6)) as url, browser.page(url) as page:
        page.type("#text", "terrible")
        page.wait("performance.getEntriesByType('resource').length && true")
        page.run("new Promise((done) => setTimeout(done, 250))")
        page.type("#text", " but wonderful lovely")
        page.wait("document.querySelector('#label').innerText === 'positive'")
        page.run("new Promise((done) => setTimeout(done, 700))")
        assert page.text("#label") == "positive"


def test_several_lines_are_a_table_to_sort_filter_and_keep(
    browser: Browser, server: LiveServer, tmp_path: Path
) -> None:
    with front(server) as url, browser.page(url) as page:
        page.type("#text", 'wonderful\n\nterrible, "awful"\nlovely')
        page.wait("document.querySelectorAll('#rows td.label').length === 3")
        page.wait(
            "![...document.querySelectorAll('#rows td.label')].some((it) => it.innerText === '…')"
        )
        cells = "[...document.querySelectorAll('#rows td.{}')].map((it) => it.innerText)"
        assert page.run(cells.format("label")) == ["positive", "negative", "positive"]
        page.click("#heads [data-column=label] button")
        page.wait("document.querySelector('[data-column=label]').ariaSort === 'ascending'")
        assert page.run(cells.format("text"))[0].startswith("terrible")
        page.run(
            "(it => { it.value = 'positive'; it.dispatchEvent(new Event('change')) })"
            "(document.querySelector('#only'))"
        )
        page.wait("document.querySelectorAll('#rows tr').length === 2")
        page.type("#find", "love")
        page.wait("document.querySelectorAll('#rows tr').length === 1")
        page.click("#rows button")
        page.wait("document.querySelector('#rows td.text mark.for')?.innerText === 'lovely'")
        browser.send("Browser.setDownloadBehavior", behavior="deny")
        kept = page.run(
            "new Promise((done) => { const made = URL.createObjectURL;"
            " URL.createObjectURL = (blob) => {"
            " blob.text().then(done); return made.call(URL, blob) };"
            " document.querySelector('#download').click() })"
        )
        (head, row) = csv.reader(kept.splitlines())
        assert head[:2] == ["text", "label"] and row[:2] == ["lovely", "positive"]
        assert page.problems() == []


def test_a_file_of_ten_thousand_lines_is_answered_with_progress(
    browser: Browser, server: LiveServer, tmp_path: Path
) -> None:
    words = ("wonderful", "terrible", "it is, well, okay")
    file = tmp_path / "reviews.csv"
    with file.open("w", newline="") as written:
        rows = csv.writer(written)
        rows.writerow(["id", "text"])
        rows.writerows([number, words[number % 3]] for number in range(10_000))
    with browser.page(server.url) as page:
        page.run(
            "globalThis.seen = new Set(); new MutationObserver(() => seen.add("
            "document.querySelector('#progress').value)).observe("
            "document.querySelector('#job-told'), {childList: true}); 0"
        )
        page.choose_file("#file", file)
        page.wait("document.querySelector('#job-told').innerText.includes('10,000 texts in')")
        assert page.run("seen.size") > 10
        assert page.run("document.querySelector('#progress').value") == 10_000
        assert "1–50 of 10,000" in page.text("#shown")
        assert page.run("document.querySelector('#column').selectedOptions[0].text") == "text"
        sent = page.run("performance.getEntriesByType('resource').map((it) => it.name)")
        assert len([name for name in sent if name.endswith("/predict_batch")]) > 20
        assert page.problems() == []


def test_behind_a_cold_start_it_says_so_and_waits(browser: Browser, server: LiveServer) -> None:
    with front(server, starting(3)) as url, browser.page(url) as page:
        page.wait("document.querySelector('#status').innerText.includes('The model is loading.')")
        assert "Trying again in" in page.text("#status")
        page.type("#text", "lovely")
        page.wait("document.querySelector('#label').innerText === 'positive'")
        page.wait("document.querySelector('#status').innerText === ''")
        page.wait("document.querySelector('#card').innerText.includes('reviews')")
        assert "Wake-up" in page.text("#card")


@pytest.mark.parametrize("tells_prefix", [False, True])
def test_it_works_under_a_prefix(browser: Browser, server: LiveServer, tells_prefix: bool) -> None:
    end = "" if tells_prefix else "/"
    with (
        front(server, prefix="/models/reviews", tells_prefix=tells_prefix) as url,
        browser.page(url + end) as page,
    ):
        page.type("#text", "lovely")
        page.wait("document.querySelector('#label').innerText === 'positive'")
        page.wait("document.querySelector('#card').innerText.includes('version 2')")
        assert f"{url}/predict'" in page.text("#snippet")
        assert all(address.startswith(f"{url}/") for address in page.requested())
        assert page.problems() == []


def test_with_keys_it_asks_for_one_and_keeps_it_in_the_tab(
    browser: Browser, guarded: LiveServer
) -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    with front(guarded, seen=seen) as url, browser.page(url) as page:
        page.wait("!document.querySelector('#access').hidden")
        assert page.run("document.activeElement.id") == "key"
        assert "wants a key" in page.text("#status")
        page.type("#key", "wrong")
        page.press("Enter", 13)
        page.wait("document.querySelector('#status').innerText.includes('none that is known')")
        page.type("#key", "key of the app")
        page.press("Enter", 13)
        page.wait("document.querySelector('#card').innerText.includes('version 2')")
        page.type("#text", "lovely")
        page.wait("document.querySelector('#label').innerText === 'positive'")
        assert "$API_KEY" in page.text("#snippet") and "key of the app" not in page.text("#snippet")
        page.open(url)
        page.wait("document.querySelector('#card').innerText.includes('version 2')")
        assert page.run("[localStorage.length, document.cookie]") == [0, ""]
        assert serious_faults(page) == []
        assert page.problems() == []
    assert not [path for path, headers in seen if "Cookie" in headers]
    assert {headers.get("X-API-Key") for path, headers in seen if path == "/predict"} == {
        "key of the app"
    }


def test_a_link_carries_the_text_in_what_no_server_sees(
    browser: Browser, server: LiveServer
) -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    text = "lovely & 100 % 💚 #1"
    with front(server, seen=seen) as url:
        with browser.page(url) as page:
            page.type("#text", text)
            page.wait("!document.querySelector('#link').hidden")
            page.click("#link")
            link = page.wait("location.href.includes('#text=') && location.href")
        with browser.page(link) as page:
            page.wait("document.querySelector('#label').innerText === 'positive'")
            assert page.run("document.querySelector('#text').value") == text
            page.click("#clear")
            assert page.run("location.hash") == ""
    assert not [path for path, _ in seen if "lovely" in path]


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, "does not explain"), (501, "A calibrated forest cannot be explained.")],
)
def test_what_cannot_be_explained_is_answered_all_the_same(
    browser: Browser, server: LiveServer, status: int, told: str
) -> None:
    asked: list[str] = []

    def stand(path: str, body: bytes) -> Any:
        if path != "/explain":
            return None
        asked.append(path)
        detail = {"detail": "A calibrated forest cannot be explained."}
        return status, {"Content-Type": "application/problem+json"}, json.dumps(detail).encode()

    with front(server, stand) as url, browser.page(url) as page:
        page.type("#text", "lovely")
        page.wait(f"document.querySelector('#no-why').innerText.includes('{told}')")
        assert page.text("#label") == "positive"
        assert page.run("document.querySelector('#why').hidden") and page.run(PAINTED) == []
        page.type("#text", " indeed")
        page.wait("document.querySelector('#snippet').innerText.includes('indeed')")
        page.run("new Promise((done) => setTimeout(done, 200))")
        assert len(asked) == 1
        assert page.problems() == []


def test_a_promotion_is_shown_by_the_card(browser: Browser, server: LiveServer) -> None:
    version = ["2"]

    def stand(path: str, body: bytes) -> Any:
        if path != "/models/info":
            return explained(path, body)
        info = {**server.request(path).json, "version": version[0], "aliases": ["champion"]}
        return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()

    with front(server, stand) as url, browser.page(url) as page:
        page.wait("document.querySelector('#card').innerText.includes('@champion')")
        version[0] = "3"
        page.click("#refresh")
        page.wait("document.querySelector('#card').innerText.includes('version 3')")
        assert page.text("#promoted") == "Version 2 has given way to 3."


def test_what_a_text_holds_is_never_markup(browser: Browser, server: LiveServer) -> None:
    text = "<img src=x onerror=alert(1)> lovely"
    with front(server) as url, browser.page(url) as page:
        page.type("#text", text)
        page.wait("document.querySelector('#ink mark.for')")
        assert page.run("document.images.length") == 0
        assert "$API_KEY" not in page.text("#snippet") and text in page.text("#snippet")
        page.type("#text", "\n" + text)
        page.wait("document.querySelectorAll('#rows tr').length === 2")
        assert page.run("document.images.length") == 0
        assert page.problems() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_for_everybody(
    browser: Browser, server: LiveServer, width: int, scheme: str
) -> None:
    with front(server) as url, browser.page(url, width, 800, scheme) as page:
        page.type("#text", "A lovely text, not terrible, with averyveryverylongword" + "x" * 200)
        page.wait("document.querySelector('#ink mark')")
        assert not sideways(page)
        if width == 1280:
            assert serious_faults(page) == []
        page.type("#text", "\nwonderful\n" + "y" * 300)
        page.wait("document.querySelectorAll('#rows td.label').length === 3")
        assert not sideways(page)
        if width == 390:
            assert serious_faults(page) == []


def test_it_is_worked_by_keys_alone(browser: Browser, server: LiveServer) -> None:
    with browser.page(server.url) as page:
        reached = []
        page.type("#text", "lovely")
        page.wait("document.querySelector('#label').innerText === 'positive'")
        for _ in range(12):
            page.press("Tab", 9)
            reached.append(page.run("document.activeElement.innerText"))
        wanted = {"Choose a file", "Copy link", "Clear", "curl", "Python", "JavaScript", "Copy"}
        assert wanted <= {*reached}
        page.run("document.querySelector('#languages button:nth-child(2)').focus()")
        page.press("Enter", 13)
        assert page.text("#snippet").startswith("import requests")


def test_the_code_it_offers_runs(browser: Browser, server: LiveServer) -> None:
    text = 'it\'s "lovely" \\ $HOME `ls` 💚'
    with browser.page(server.url) as page:
        page.type("#text", text)
        page.wait("document.querySelector('#label').innerText === 'positive'")
        curl = page.text("#snippet")
        page.click("#languages button:nth-child(3)")
        script = page.text("#snippet").replace("console.log(", "globalThis.said = (")
        page.run(f"(async () => {{ {script} }})()")
        assert page.run("said.text") == text
    ended = subprocess.run(["bash", "-c", f"{curl} -s"], capture_output=True, timeout=20)
    assert json.loads(ended.stdout)["text"] == text


def test_swagger_ui_tries_out_with_a_key_under_a_prefix(
    browser: Browser, guarded: LiveServer
) -> None:
    with front(guarded, prefix="/models/reviews") as url, browser.page(f"{url}/docs") as page:
        page.wait("!document.querySelector('#access').hidden")
        page.type("#key", "key of the app")
        page.press("Enter", 13)
        page.wait("document.querySelector('#operations-Service-post_predict')")
        page.click("#operations-Service-post_predict .opblock-summary-control")
        page.wait("document.querySelector('.try-out__btn')")
        page.click(".try-out__btn")
        page.wait("document.querySelector('.execute')")
        page.click(".execute")
        page.wait(
            "document.querySelector('.live-responses-table tbody .response-col_status')"
            ".innerText.includes('200')"
        )
        assert '"sentiment"' in page.text(".live-responses-table")
        assert all(address.startswith((f"{url}/", "data:")) for address in page.requested())
        assert page.problems() == []


def test_redoc_shows_the_document(browser: Browser, server: LiveServer) -> None:
    with browser.page(f"{server.url}/redoc") as page:
        page.wait("document.querySelector('#docs').innerText.includes('Classify one text')")
        assert all(address.startswith((server.url, "data:")) for address in page.requested())
        assert page.problems() == []
