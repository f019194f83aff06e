"""granian alone: a constant of a prediction's size, the request's body read, nothing else."""

import json

BODY = json.dumps(
    {"text": "hello world", "sentiment": "neutral", "confidence": 1.0, "model_version": "1"}
).encode()
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def wsgi(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", _HEADERS)
    return [BODY]


async def rsgi(scope, protocol):
    await protocol()
    protocol.response_bytes(200, [("content-type", "application/json")], BODY)
