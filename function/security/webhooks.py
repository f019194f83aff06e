"""Whether a request comes from the MLflow server that shares a secret with this service.

As MLflow signs its webhooks: HMAC-SHA256, in base64, of delivery id, timestamp and body.
https://mlflow.org/docs/latest/ml/webhooks/ (Security), mlflow/webhooks/delivery.py
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from function.errors import Forbidden

_SECONDS = re.compile("[0-9]{1,12}")
OLDEST_SECONDS = 300
"""Older deliveries are somebody's who wrote one down."""


def check(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raise Forbidden (403) where this was not signed with the secret, lately."""
    import hmac
    from base64 import b64encode

    signed = (headers.get(f"x-mlflow-{part}", "") for part in ("delivery-id", "timestamp"))
    delivery, timestamp = signed
    content = f"{delivery}.{timestamp}.".encode(errors="replace") + body
    mac = b64encode(hmac.digest(secret.encode(), content, "sha256"))
    given = headers.get("x-mlflow-signature", "").encode(errors="replace")
    if not hmac.compare_digest(b"v1," + mac, given):
        raise Forbidden("X-MLflow-Signature is not that of this body, signed with WEBHOOK_SECRET.")
    if not _SECONDS.fullmatch(timestamp) or abs(time.time() - int(timestamp)) > OLDEST_SECONDS:
        raise Forbidden(
            f"X-MLflow-Timestamp is not within {OLDEST_SECONDS} seconds of this service's clock."
        )
