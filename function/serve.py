"""``python -m function.serve``: the function on its own server, what the container starts.

The same application as under ``functions-framework --target=handle``, with no web framework in the
process: it starts sooner, answers more requests per second, and no client can hold it up.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

from function.errors import ModelLoadError
from function.settings import Settings, settings_or_exit
from function.telemetry import console

if TYPE_CHECKING:
    from function.model.attempt import Attempt, LoadedModel

TERMINATION_LOG = "/dev/termination-log"
"""Where Kubernetes looks for the reason that a container ended (terminationMessagePath)."""
SWITCH_SECONDS, IMPORTING_SWITCH_SECONDS = sys.getswitchinterval(), 0.0005
"""While this thread imports and another fetches a model, an answer that has come waits no longer
than that for the interpreter."""
HELP = """usage: python -m function.serve [-h]

Serve the function on HOST and PORT until SIGTERM or SIGINT; what the container image starts.

examples:
  python -m function.serve
  COMPILED_MODEL=model PORT=9000 python -m function.serve

Settings are environment variables; python -m function.settings lists them.
"""


OF_THE_FRAMEWORK = frozenset(("WORKERS", "THREADS"))
"""Settings of functions-framework's server, which people bring along."""


def main() -> None:
    """Serve until told to leave; exit status 1 with one line where that can never come about."""
    if len(sys.argv) > 1:  # argparse would take a tenth of the start
        wants_help = sys.argv[1] in ("-h", "--help")
        print(HELP, end="", file=sys.stdout if wants_help else sys.stderr)
        sys.exit(0 if wants_help else 2)
    # Process 1 of a container has no default action: until the server takes over, SIGTERM is lost.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    console.redact_errors()
    try:
        serve(settings_or_exit())
    except SystemExit as exc:
        _leave_word(exc)
        raise


def serve(settings: Settings) -> None:
    """Answer on ``settings.host`` and ``settings.port`` until told to leave; never returns.

    A compiled model is loaded before anybody is listened to: it takes milliseconds, and the first
    probe finds it ready. Where it cannot be loaded no time will mend it, so the process ends. One
    from a registry is begun at once, and nobody is kept from the probes meanwhile.
    """
    gc.disable()  # nothing made by a start is garbage, and looking for it takes a twentieth of it
    begun = None if settings.compiled_model else _begin_load(settings)
    with console.needing("server"):
        from function.server.server import Server
    from function.telemetry import output, start
    from function.wiring import create_application

    application = create_application(settings, tells_start=True, begun=begun)
    for name in OF_THE_FRAMEWORK.intersection(os.environ):
        told = (
            f"{name} has no effect: python -m function.serve is one process, with its own threads"
        )
        application.log.write("WARNING", told)
    if settings.compiled_model:
        try:
            application.service.models.load_now()
        except ModelLoadError as exc:
            output.flush()
            raise SystemExit(str(exc)) from None
    else:
        application.service.models.start()
    server = Server(settings, application)
    application.service.signals.metrics.gauges += server.gauges()
    sys.setswitchinterval(SWITCH_SECONDS)
    start.mark("listening")
    signal.set_wakeup_fd(server.wakes_by, warn_on_full_buffer=False)
    for order in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(order, lambda *_: server.leave())
    for other in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(other, signal.SIG_IGN)
    gc.freeze()
    gc.enable()
    server.run()
    if application.service.signals.tracing is not None:
        application.service.signals.tracing.flush(server.seconds_left())
    output.flush()
    os._exit(0)  # a model's call that never ends, or a thread of its own, holds nobody here


def _begin_load(settings: Settings) -> Attempt[LoadedModel]:
    """The model's load, which asks the registry while the server is imported."""
    import function.registry.direct  # what the first question takes
    from function.model.attempt import Attempt, load

    sys.setswitchinterval(IMPORTING_SWITCH_SECONDS)
    begun = Attempt(settings, load)
    import function.compiled.artifact  # noqa: F401  what reads the answers

    return begun


def _leave_word(exc: SystemExit) -> None:
    """Tell Kubernetes why, where it has made a place for it."""
    if isinstance(exc.code, str):
        try:
            with open(TERMINATION_LOG, "r+", encoding="utf-8") as place:
                place.write(exc.code)
        except OSError:
            pass


if __name__ == "__main__":
    main()
