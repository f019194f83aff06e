"""The pages for browsers: the playground, the API's documentation, and the files of both.

Hand-written files in function/pages, which are served as they are; of Swagger UI and ReDoc those
that the packages of the extra ``docs`` bring. Nothing here is imported until a browser asks, and
nothing of it is anybody's secret: the pages are what is published with this code, so they need no
key, and what they ask of the service needs one as ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path

from function.errors import NotInstalled, UnknownPath
from function.http.endpoints import Service
from function.http.messages import Document, Request
from function.http.negotiation import HTML, accepts_gzip

FOLDER = Path(__file__).parents[1] / "pages"
_UTF8 = "; charset=utf-8"
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
_PACKAGE = "fastapi_standalone_docs"
OF_THE_EXTRA = {
    "swagger-ui.css": "static/swagger/swagger-ui.css",
    "swagger-ui-bundle.js": "static/swagger/swagger-ui-bundle.js",
    "redoc.standalone.js": "static/redoc/redoc.standalone.js",
}
"""By name, where the file is in the package that brings it."""
MISSING = "Swagger UI and ReDoc are the extra docs: pip install fastapi-standalone-docs."
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$()*+,;=:@%-]+)+/?")
_LONGEST_PREFIX = 256
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_NOTHING = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
_SCROLLBARS = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
# Swagger UI sets its styles by script, which takes no leave. ReDoc makes two style elements: one is
# empty, for rules that it adds by script, and one has those of its scroll bars.
_RELAXED: Mapping[str, Mapping[str, str]] = {
    "redoc": {"style-src": f"'self' {_NOTHING} {_SCROLLBARS}"}
}
_ALWAYS = (
    ("Vary", "Accept, X-Forwarded-Prefix"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def playground(service: Service, request: Request) -> Document:
    """The page to try the model with."""
    has_docs = find_spec(_PACKAGE) is not None
    has_document = service.settings.auth == "none"  # a link brings no key
    hidden = {"no_docs": has_docs, "no_document": has_document}
    return _page(
        service,
        request,
        "playground.html",
        {name: "" if is_there else " hidden" for name, is_there in hidden.items()},
    )


def swagger(service: Service, request: Request) -> Document:
    """Swagger UI over /openapi.json; NotInstalled (501) without the extra."""
    return _documentation(service, request, "swagger")


def redoc(service: Service, request: Request) -> Document:
    """ReDoc over /openapi.json; NotInstalled (501) without the extra."""
    return _documentation(service, request, "redoc")


def file(service: Service, request: Request) -> Document:
    """A script or a style sheet of the pages, asked for anew when it may have changed."""
    name = request.parameters["file"]
    path = _path_of(name)
    content = path.read_bytes()
    tag = f'W/"{sha256(content).hexdigest()[:32]}"'
    headers = [("Cache-Control", "no-cache"), ("ETag", tag), ("Vary", "Accept-Encoding")]
    media_type = _MEDIA_TYPES[path.suffix] + _UTF8
    if _is_known(tag, request.headers):
        return Document(media_type, b"", tuple(headers), status=304)
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        import gzip

        content = gzip.compress(content, 6, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return Document(media_type, content, tuple(headers))


def _documentation(service: Service, request: Request, kind: str) -> Document:
    if find_spec(_PACKAGE) is None:
        raise NotInstalled(MISSING)
    return _page(service, request, f"{kind}.html", {}, _RELAXED.get(kind))


def _page(
    service: Service,
    request: Request,
    name: str,
    values: Mapping[str, str],
    relaxed: Mapping[str, str] | None = None,
) -> Document:
    """The file with its ``{{names}}`` filled in, and what the browser is to hold it to."""
    given = {
        "root": escape(root_of(request)),
        "service": escape(service.settings.service_name),
        **values,
    }
    content = (FOLDER / name).read_text(encoding="utf-8")
    content = re.sub(r"{{(\w+)}}", lambda found: given[found[1]], content)
    policy = _POLICY | dict(relaxed or {})
    told = "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
    headers = (("Content-Security-Policy", told), *_ALWAYS)
    return Document(HTML + _UTF8, content.encode(), headers)


def root_of(request: Request) -> str:
    """What leads from the page to ``/``, as the browser sees it: relative, so that it holds under
    any prefix, or the prefix where a proxy names it, which one without its last slash takes."""
    prefix = request.headers.get("x-forwarded-prefix", "")
    if len(prefix) <= _LONGEST_PREFIX and _PREFIX.fullmatch(prefix):
        return prefix.rstrip("/") + "/"
    return "../" * (request.path.count("/") - 1) or "./"


def _path_of(name: str) -> Path:
    """Where the file is; UnknownPath (404) for what is no file of the pages."""
    if name in OF_THE_EXTRA:
        spec = find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise NotInstalled(MISSING)
        return Path(spec.submodule_search_locations[0]) / OF_THE_EXTRA[name]
    for path in FOLDER.iterdir():
        if path.name == name and path.suffix in _MEDIA_TYPES:
            return path
    raise UnknownPath("There is no such file.")


def _is_known(tag: str, headers: Mapping[str, str]) -> bool:
    """Whether the client has just this (RFC 9110, 13.1.2); weakly compared."""
    given = [one.strip() for one in headers.get("if-none-match", "").split(",")]
    return "*" in given or any(one.removeprefix("W/") == tag[2:] for one in given)
