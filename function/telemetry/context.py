"""One request's identity: its id and the trace it belongs to, taken from headers.

Header formats: W3C Trace Context (``traceparent``) and Google's ``X-Cloud-Trace-Context``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import getrandbits
from typing import Any

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;o=([01]))?")


def request_id(environ: Mapping[str, Any]) -> str:
    """``X-Request-ID`` where it is a sane token, else a new one.

    Random, not secret: ``os.urandom`` would let go of the interpreter's lock, and on a busy
    server getting it back costs more than the prediction. Python seeds ``random`` anew in every
    forked worker.
    """
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given and _SANE_ID.fullmatch(given) else f"{getrandbits(128):032x}"


def trace_fields(environ: Mapping[str, Any]) -> dict[str, Any]:
    """``trace_id``, ``span_id`` (16 hex digits) and ``trace_sampled`` for the log record."""
    given = environ.get("HTTP_TRACEPARENT")
    if given and (match := _TRACEPARENT.fullmatch(given)) and int(match[1], 16):
        return _fields(match[1], match[2], bool(int(match[3], 16) & 1))
    given = environ.get("HTTP_X_CLOUD_TRACE_CONTEXT")
    if given and (match := _CLOUD_TRACE.fullmatch(given)):
        span_id = f"{int(match[2]):016x}" if match[2] else None
        return _fields(match[1].lower(), span_id, match[3] == "1" if match[3] else None)
    return {}


def _fields(trace_id: str, span_id: str | None, sampled: bool | None) -> dict[str, Any]:
    return {"trace_id": trace_id, "span_id": span_id, "trace_sampled": sampled}


def is_probe(environ: Mapping[str, Any]) -> bool:
    """Whether the kubelet or Knative's queue-proxy asks, which do so up to twenty times a second.

    Known by the headers that Knative's runtime contract names, and the kubelet's user agent.
    """
    return environ.get("HTTP_USER_AGENT", "").startswith("kube-probe/") or (
        "HTTP_K_NETWORK_PROBE" in environ or "HTTP_K_KUBELET_PROBE" in environ
    )
