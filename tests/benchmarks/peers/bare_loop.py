"""This project's own server alone: the constant of bare_granian.py, the request's body read."""

from types import SimpleNamespace

from bare_granian import BODY

from function.http.messages import Response
from function.server.server import Server
from function.settings import settings_or_exit

_ANSWER = Response(
    200, [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))], BODY
)


class Constant:
    """As much of function.http.application.Application as the server asks for in a request that it
    answers at once."""

    service = SimpleNamespace(models=SimpleNamespace(model=None))

    def streams(self, request):
        return False

    def takes_time(self, request):
        return False

    def __call__(self, request):
        return _ANSWER

    def patiently(self, request):
        return _ANSWER


if __name__ == "__main__":
    Server(settings_or_exit(), Constant()).run()
