"""One kept HTTP connection to an MLflow server, under the settings mlflow's own client follows.

Every answer but a plain 200 raises NeedsMlflow: no redirect is followed, so no credential goes to
another host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from function import __version__
from function.errors import ModelLoadError, RegistryAway
from function.registry import access
from function.registry.access import (
    NOTHING_MEANT,
    NeedsMlflow,
    NothingMeant,
    NotThere,
    ServerBroken,
)
from function.registry.failures import UNREACHABLE
from function.registry.http1 import Answer, BrokenAnswer, HttpConnection

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.~/-]*")
_PLAIN_PATH = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9_.-]+)*")


class Connection:
    """Asks the server at ``tracking_uri``; connects with the first question.

    Every method raises NeedsMlflow where the answer is not a plain one, and ModelLoadError where
    no server answers in time.
    """

    def __init__(self, tracking_uri: str) -> None:
        parts = access.server(tracking_uri)
        access.refuse_unknown_settings(parts)
        self._prefix = parts.path.removesuffix("/")
        agent = f"sentiment-function/{__version__}"
        self._headers = {"User-Agent": agent, **access.credentials(parts)}
        tls = access.tls() if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        self._http = HttpConnection(parts.hostname, port, access.timeout_seconds(), tls)
        self._hung_up = False

    def close(self) -> None:
        self._http.close()

    def hang_up(self) -> None:
        """From another thread: end the request under way, and let no other begin."""
        self._hung_up = True
        self._http.shut()

    def get(self, path: str, /, **query: str | int) -> dict[str, Any]:
        """The JSON object that GET ``path`` answers."""
        with self._answer("GET", path, _encoded(query)) as answer:
            return _object(answer)

    def post(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that POST ``path`` answers."""
        with self._answer("POST", path, body=json.dumps(question).encode()) as answer:
            return _object(answer)

    def pieces(self, path: str) -> Iterator[bytes]:
        """What GET ``path`` answers, as it comes."""
        with self._answer("GET", path) as answer:
            yield from answer.pieces()

    def save(self, path: str, file: str) -> None:
        """Write it to ``file``."""
        with self._answer("GET", path) as answer, open(file, "wb") as output:
            output.writelines(answer.pieces())

    @contextmanager
    def _answer(
        self, verb: str, path: str, query: str = "", body: bytes | None = None
    ) -> Iterator[Answer]:
        target = self._prefix + path
        if not _PLAIN_PATH.fullmatch(target):
            raise NeedsMlflow("a path has more than letters, digits, dots, dashes and underscores")
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        self._connect()
        try:
            answer = self._http.ask(verb, target + query, headers, body)
            if answer.status in (400, 404) and _error_code(answer) in NOTHING_MEANT:
                raise NothingMeant(f"the server answered {answer.status}")
            if answer.status == 404:
                raise NotThere("the server answered 404")
            if answer.status >= 500:
                raise ServerBroken(f"the server answered {answer.status}")
            if answer.status != 200:
                raise NeedsMlflow(f"the server answered {answer.status}")
            if answer.headers.get("content-encoding"):
                raise NeedsMlflow("an answer is compressed, which was not asked for")
            yield answer
            if answer.ends_connection:
                self._http.close()
        except TimeoutError as exc:
            self._http.close()
            raise RegistryAway(UNREACHABLE, "no answer in time") from exc
        except (BrokenAnswer, ConnectionError) as exc:
            self._http.close()
            raise ServerBroken(str(exc)) from exc
        except BaseException:
            self._http.close()  # what is left of the answer is no answer to the next question
            raise

    def _connect(self) -> None:
        if not self._http.is_open:
            try:
                self._http.connect()
            except OSError as exc:
                if type(exc).__module__ == "ssl":
                    raise NeedsMlflow("no TLS connection came about") from exc
                raise RegistryAway(UNREACHABLE, str(exc)) from exc
        if self._hung_up:
            raise ModelLoadError("The load was given up.")


def _encoded(query: Mapping[str, str | int]) -> str:
    """The query of a URL, with its question mark."""
    if not all(map(_PLAIN_VALUE.fullmatch, map(str, query.values()))):
        from urllib.parse import urlencode

        return f"?{urlencode(query)}"
    return "?" + "&".join(f"{name}={value}" for name, value in query.items())


def _error_code(answer: Answer) -> str:
    """MLflow's own, empty where somebody else answers: a proxy, say."""
    try:
        return str(json.loads(answer.read()).get("error_code", ""))
    except (ValueError, AttributeError, BrokenAnswer):
        return ""


def _object(answer: Answer) -> dict[str, Any]:
    found = json.loads(answer.read())
    if not isinstance(found, dict):
        raise NeedsMlflow("an answer is no JSON object")
    return found
