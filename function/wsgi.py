"""Functions Framework's own WSGI app, relieved of what this function has no use for.

Flask matches each URL against Functions Framework's four rules, opens a session, and Functions
Framework draws an execution id letter by letter: 40 µs a request, against 30 for the request
itself. ``handle`` gets every path, keeps no session and draws its own ids, so the app is told so
through Flask's documented hooks. Under ``functions-framework`` itself all this stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from random import getrandbits
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOT_FOR_HANDLE = ("/robots.txt", "/favicon.ico")  # Functions Framework answers these with 404


def create_app() -> WSGIApplication:
    """The app around ``handle``; reads the environment, and exits with one line if it is bad."""
    import functions_framework

    app = functions_framework.create_app("handle", str(Path(__file__).parents[1] / "main.py"))
    _send_every_path_to_handle(app)
    app.session_interface = _NoSessions()

    def with_execution_id(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        environ.setdefault("HTTP_FUNCTION_EXECUTION_ID", f"{getrandbits(48):012x}")
        return app(environ, start_response)

    return with_execution_id


def _send_every_path_to_handle(app: Flask) -> None:
    rule = next(rule for rule in app.url_map.iter_rules() if rule.rule == "/<path:path>")
    match_as_before, matched = app.create_url_adapter, _Matched(rule)

    def create_url_adapter(request: Request | None) -> Any:
        if request is None or request.path in NOT_FOR_HANDLE:
            return match_as_before(request)
        return matched

    app.create_url_adapter = create_url_adapter  # type: ignore[method-assign]


class _Matched:
    """A URL adapter that has matched already; ``handle`` reads the path from the request."""

    def __init__(self, rule: Any) -> None:
        self._result = rule, {"path": ""}

    def match(self, return_rule: bool = True) -> Any:
        return self._result


class _NoSessions(SessionInterface):
    """One empty session for all, never saved."""

    _session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session

    def is_null_session(self, obj: object) -> bool:
        return True
