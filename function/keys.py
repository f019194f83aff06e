"""``python -m function.keys new ID``: makes an API key, and says what to give to whom."""

from __future__ import annotations

import argparse
import secrets

from function.security.access import PREDICT, SCOPES
from function.security.apikeys import digest_of, is_id

_DESCRIPTION = """\
Make an API key for AUTH=api-key. It is shown once and kept nowhere: the service knows its SHA-256.
"""
_EPILOG = """\
examples:
  python -m function.keys new mobile-app
  python -m function.keys new deployer --scope predict --scope admin
  AUTH=api-key API_KEYS=mobile-app:9f86d0... python -m function.serve
  curl -H 'X-API-Key: KEY' localhost:8080/predict ...

A client sends it as X-API-Key, or as Authorization: Bearer. An id may have several entries: add
the new one, move the clients, take the old one away.
"""


def main() -> None:
    """Make one and print both halves."""
    parser = argparse.ArgumentParser(
        prog="python -m function.keys",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="new")
    new = commands.add_parser("new", help="make a key")
    new.add_argument("id", metavar="ID", help="whose it is, as the log names it")
    new.add_argument(
        *("--scope", "-s"),
        action="append",
        choices=sorted(SCOPES),
        help=f"what it may do; may be given twice (default: {PREDICT})",
    )
    given = parser.parse_args()
    if not is_id(given.id):
        parser.error(f"ID {given.id!r} is not 1 to 64 letters, digits, or any of . _ @ -")
    key = f"sentiment_{secrets.token_urlsafe(32)}"
    scopes = "+".join(sorted(set(given.scope or [PREDICT])))
    print(f"key for the client:    {key}")
    print(f"entry for the service: {given.id}:{digest_of(key).hex()}:{scopes}")


if __name__ == "__main__":
    main()
