"""What Functions Framework's command reads from the environment, set before it starts gunicorn."""

from __future__ import annotations

import os
import re
import sys
from itertools import pairwise

from function.settings import Settings

_COMMAND = re.compile(r"functions[-_]framework|(^|/)ff$")


def prepare(settings: Settings) -> Settings:
    """Call it when ``handle`` is asked for: gunicorn is not there yet. Returns the settings with
    the address that the command was given."""
    # gunicorn gets 4 threads a core: as many requests waiting for a cold start would keep a
    # liveness probe waiting too.
    os.environ.setdefault("THREADS", str(settings.threads))
    if not _COMMAND.search(sys.argv[0]):
        return settings
    if not _is_debugging():
        _bracket_address()
    return settings.replace(host=_given_host(sys.orig_argv[1:]) or settings.host)


def _bracket_address() -> None:
    """Start the command over with HOST=[::1] where it was given ::1.

    It hands gunicorn the text HOST:PORT, in which gunicorn finds no port where an IPv6 address has
    no brackets. When our code is asked for, HOST is read already.
    """
    given = sys.orig_argv[1:]
    bracketed = [_bracketed(argument) for argument in given]
    host = os.environ.get("HOST", "")
    if bracketed == given and (_bracketed(host) == host or _given_host(given)):
        return
    os.environ["HOST"] = _bracketed(host)
    os.execv(sys.executable, [sys.executable, *bracketed])


def _bracketed(text: str) -> str:
    """An IPv6 address, bare or as ``--host=``, in brackets; other text as it is."""
    option = "--host=" if text.startswith("--host=") else ""
    address = text.removeprefix(option)
    is_bare = re.fullmatch(r"(?=.*:.*:)[0-9A-Fa-f:.]+(%\w+)?", address)
    return f"{option}[{address}]" if is_bare else text


def _given_host(arguments: list[str]) -> str:
    """What ``--host`` says, without brackets; empty where it is not there."""
    said = ""
    for argument, following in pairwise([*arguments, ""]):
        name, _, value = argument.partition("=")
        if name == "--host":
            said = value or following
    return said.removeprefix("[").removesuffix("]")


def _is_debugging() -> bool:
    """Then Flask's own server listens, which wants the address without brackets."""
    return "--debug" in sys.argv or bool(os.environ.get("DEBUG"))
