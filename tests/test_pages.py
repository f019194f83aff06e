"""What a door says of the pages: who gets one, what browsers are held to; nothing at a start."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from function.http.messages import Request
from function.http.pages import FOLDER, OF_THE_EXTRA, root_of
from tests.conftest import AppFactory, modules_after
from tests.doors import start_door
from tests.processes import LiveServer, Reply
from tests.test_access import KEYS

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
MOST_BYTES = 60_000
PAGES = {"/": "playground", "/docs": "swagger", "/redoc": "redoc"}


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def server(
    request: pytest.FixtureRequest, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("pages")
    server = start_door(
        *(request.param, compiled_folder, folder),
        SERVICE_NAME="reviews & <more>",
        AUTH="api-key",
        API_KEYS=KEYS,
    )
    yield server
    server.stop()


def get(server: LiveServer, path: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.request(path, headers={"Accept": BROWSER, **named})


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML, application/json;q=0.5", True),
        ("text/html;q=0.8, application/json;q=0.9", False),
        ("text/html, application/json", False),
        ("text/html;q=0.5, */*", False),
        ("text/html;q=0, */*;q=0.1", False),
        ("text/html;q=x, */*;q=0.1", True),
        ("*/*", False),
        ("", False),
    ],
)
def test_who_would_rather_have_a_page_gets_one(
    server: LiveServer, accept: str, is_page: bool
) -> None:
    reply = get(server, "/", Accept=accept, X_API_Key="key of the app")
    assert reply.status == 200
    expected = "text/html; charset=utf-8" if is_page else "application/json"
    assert reply.headers["Content-Type"] == expected
    assert is_page or reply.json["service_name"] == "reviews & <more>"


def test_the_pages_need_no_key_and_what_they_ask_does(server: LiveServer) -> None:
    for path in [*PAGES, "/pages/playground.js", "/pages/swagger-ui.css"]:
        assert get(server, path).status == 200, path
    assert get(server, "/", Accept="*/*").status == 401
    assert get(server, "/openapi.json").status == 401
    assert server.request("/predict", {"text": "lovely"}).status == 401
    assert server.request("/", {"text": "lovely"}, headers={"Accept": BROWSER}).status == 401


@pytest.mark.parametrize("path", PAGES)
def test_a_page_holds_the_browser_to_what_it_needs(server: LiveServer, path: str) -> None:
    reply = get(server, path)
    policy = dict(
        rule.split(" ", 1) for rule in reply.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in reply.headers
    page = reply.body.decode()
    assert "reviews &amp; &lt;more&gt;" in page and "{{" not in page
    assert not re.search(r"<script(?![^>]*src)|<style|style=|\son\w+=", page)


def test_every_file_is_asked_for_anew_and_sent_once(server: LiveServer) -> None:
    plain = get(server, "/pages/playground.js")
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert plain.headers["Cache-Control"] == "no-cache"
    assert plain.body == (FOLDER / "playground.js").read_bytes()
    packed = get(server, "/pages/playground.js", Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    for known in (plain.headers["ETag"], f'"x", {plain.headers["ETag"]}', "*"):
        again = get(server, "/pages/playground.js", If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == plain.headers["ETag"]
        assert "Content-Length" not in again.headers
    assert get(server, "/pages/playground.js", If_None_Match='W/"x"').status == 200
    # The connection is as good as before.
    assert get(server, "/pages/playground.css").status == 200


@pytest.mark.parametrize(
    "name", ["x.js", "playground.html", "..", "%2e%2e%2ferrors.py", "../errors.py", ".js", "%00.js"]
)
def test_nothing_but_the_files_of_the_pages_is_handed_out(server: LiveServer, name: str) -> None:
    reply = get(server, f"/pages/{name}", X_API_Key="key of the app")
    assert reply.status == 404
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "prefix", "root"),
    [
        ("/", "", "./"),
        ("/docs", "", "./"),
        ("/docs/", "", "../"),
        ("//docs//", "", "../../../"),
        ("/", "/models/a-b", "/models/a-b/"),
        ("/docs/", "/models/", "/models/"),
        ("/", "//evil.example.com", "./"),
        ("/", "https://evil.example.com", "./"),
        ("/", '/a"onload=b', "./"),
        ("/", "/a, /b", "./"),
        ("/", "/" + "a" * 300, "./"),
        ("/", "/", "./"),
    ],
)
def test_a_page_finds_its_files_under_any_prefix_and_trusts_no_other(
    path: str, prefix: str, root: str
) -> None:
    assert root_of(Request("GET", path, {"x-forwarded-prefix": prefix})) == root


def test_all_of_it_is_small_and_comes_from_here() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    own = [path for path in files if path.stem not in ("docs", "swagger", "redoc")]
    assert sum(path.stat().st_size for path in own) < MOST_BYTES
    for path in files:
        found = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text()))
        assert not {url for url in found if "www.w3.org" not in url}, path.name


@pytest.mark.parametrize("path", ["/docs", "/redoc", *(f"/pages/{name}" for name in OF_THE_EXTRA)])
def test_without_the_extra_the_documentation_names_it(
    create_app: AppFactory, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("function.http.pages.find_spec", lambda name: None)
    client = create_app()
    reply = client.get(path)
    assert (reply.status_code, reply.content_type) == (501, "application/problem+json")
    assert "the extra docs" in reply.json["detail"]
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert 'docs" hidden>' in page and 'redoc" hidden>' in page


def test_a_start_imports_nothing_of_it() -> None:
    script = (
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "create_application(Settings.from_environ({'HOST': '127.0.0.1'}))\n"
    )
    assert not modules_after(script) & {"function.http.pages", "html", "gzip"}
