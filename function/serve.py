"""``python -m function.serve``: Functions Framework's own WSGI app on granian, for containers.

The same ``handle`` as under ``functions-framework --target=handle``, on a server that answers
more requests per second and loses none when it is told to stop.
"""

from __future__ import annotations

import argparse
import signal
import sys

from function.settings import Settings, settings_or_exit
from function.telemetry import console

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
    # Process 1 of a container has no default action: until the server takes over, SIGTERM is lost.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    console.redact_errors()
    serve(settings_or_exit())


def serve(settings: Settings) -> None:
    """Answer on ``settings.host`` and ``settings.port`` until told to leave."""
    from function.server import Server
    from function.telemetry import output
    from function.wsgi import create_app

    server = Server(settings)
    output.write_in_background()
    server.run(create_app())


if __name__ == "__main__":
    main()
