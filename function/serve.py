"""``python -m function.serve``: Functions Framework's own WSGI app on granian, for containers.

The same ``handle`` as under ``functions-framework --target=handle``, on a server that answers
more requests per second and loses none when it is told to stop.
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, Any

from function.settings import PROBE_THREADS, Settings, settings_or_exit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

EPILOG = """examples:
  python -m function.serve
  COMPILED_MODEL=model PORT=9000 python -m function.serve

Settings are environment variables; python -m function.settings lists them.
"""


def main() -> None:
    """Serve until SIGTERM or SIGINT, then answer the requests under way and leave."""
    argparse.ArgumentParser(
        prog="python -m function.serve",
        description="Serve the function on granian; what the container image starts.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    # Process 1 of a container has no default action: until granian takes over, SIGTERM is lost.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    serve(settings_or_exit())


def serve(settings: Settings) -> None:
    """Run one worker process on ``settings.host`` and ``settings.port``."""
    from granian.constants import HTTPModes, Interfaces

    from function.drain import DrainingServer

    DrainingServer(
        target="handle",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.max_concurrency + PROBE_THREADS,
        http=HTTPModes.http1,
        websockets=False,
        workers_kill_timeout=settings.drain_seconds,
        log_enabled=False,
    ).serve(target_loader=_load_app, wrap_loader=False)


def _load_app(*_: Any) -> WSGIApplication:
    """What the worker process runs once, before it accepts requests."""
    from function import drain
    from function.telemetry import output
    from function.wsgi import create_app

    drain.leave_when_told()
    output.write_in_background()
    return drain.sending_clients_away(create_app())


if __name__ == "__main__":
    main()
