"""One request's identity: its id and the trace it belongs to, from headers in lower case.

Header formats: W3C Trace Context (``traceparent``) and Google's ``X-Cloud-Trace-Context``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;o=([01]))?")


def request_id(headers: Mapping[str, str]) -> str:
    """``X-Request-ID`` where it is a sane token, else a new one of 32 hexadecimal digits."""
    given = headers.get("x-request-id")
    return given if given and _SANE_ID.fullmatch(given) else _new_id()


_IDS_AT_ONCE = 256
_spare_ids: list[str] = []


def _new_id() -> str:
    """Random, from a supply: to ask the kernel lets go of the interpreter's lock, and on a busy
    server getting it back costs more than the prediction."""
    try:
        return _spare_ids.pop()
    except IndexError:
        digits = os.urandom(16 * _IDS_AT_ONCE).hex()
        _spare_ids.extend(digits[start : start + 32] for start in range(32, len(digits), 32))
        return digits[:32]


os.register_at_fork(after_in_child=_spare_ids.clear)


def trace_fields(headers: Mapping[str, str]) -> dict[str, Any]:
    """``trace_id``, ``span_id`` (16 hex digits) and ``trace_sampled`` for the log record."""
    given = headers.get("traceparent")
    if given and (match := _TRACEPARENT.fullmatch(given)):
        version, trace_id, span_id, flags, more = match.groups()
        if not (version == "00" and more):  # later versions may have more to say
            return _fields(trace_id, span_id, bool(int(flags, 16) & 1))
    given = headers.get("x-cloud-trace-context")
    if given and (match := _CLOUD_TRACE.fullmatch(given)) and int(match[1], 16):
        number = int(match[2] or 0)
        span_id = f"{number:016x}" if 0 < number < 1 << 64 else None
        return _fields(match[1].lower(), span_id, match[3] == "1" if match[3] else None)
    return {}


def _fields(trace_id: str, span_id: str | None, sampled: bool | None) -> dict[str, Any]:
    return {"trace_id": trace_id, "span_id": span_id, "trace_sampled": sampled}


def is_probe(headers: Mapping[str, str]) -> bool:
    """Whether the kubelet or Knative's queue-proxy asks, which do so up to twenty times a second.

    Known by the headers that Knative's runtime contract names, and the kubelet's user agent.
    """
    return headers.get("user-agent", "").startswith("kube-probe/") or (
        "k-network-probe" in headers or "k-kubelet-probe" in headers
    )
