"""The one place where the parts are put together: settings in, an application out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from function.http.application import Application
from function.http.endpoints import Service
from function.http.routes import ROUTES
from function.model.attempt import Attempt, LoadedModel
from function.model.cache import ModelCache
from function.model.following import Follower
from function.model.loading import Loader
from function.settings import Settings, exit_where_invalid
from function.telemetry.logs import JsonLog
from function.telemetry.metrics import Metrics
from function.telemetry.signals import Signals
from function.telemetry.start import StartRecord

if TYPE_CHECKING:
    from function.security.access import Access, Authenticator
    from function.security.cors import Cors
    from function.telemetry.tracing import Tracing

_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LOOPBACK = ("localhost", "::1")
_OF_AUTH = ("api_keys", "api_keys_file", "jwt_jwks")


def create_application(
    settings: Settings, tells_start: bool = False, begun: Attempt[LoadedModel] | None = None
) -> Application:
    """The application that both doors call; loads nothing yet.

    With ``tells_start`` the log gets a record of what the start was spent on. ``begun`` is a load
    that is under way. A setting that is not valid ends the process with one line.
    """
    log = JsonLog(settings.log_level, settings.service_name)
    signals = Signals(log, Metrics(), _tracing(settings, log))
    models = ModelCache(
        Loader(settings, signals, begun), settings.load_retry_seconds, settings.max_concurrency
    )
    follower = Follower(settings, signals, models)
    models.when_loaded = follower.start
    start = StartRecord(log) if tells_start else None
    service = Service(settings, models, follower, signals, ROUTES)
    return Application(service, start, _access(settings, log), _cors(settings))


def _tracing(settings: Settings, log: JsonLog) -> Tracing | None:
    """Where the standard variables ask for it; one WARNING where they do so in vain.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
    """
    environ = os.environ
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    is_asked_for = exporter == "otlp" or any(map(environ.get, _OTLP_ENDPOINTS))
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf").strip().lower()
    if is_asked_for and protocol != "http/protobuf":
        told = f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not spoken here, http/protobuf is"
        log.write("WARNING", told)
    is_off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not is_asked_for or is_off or exporter not in ("", "otlp"):
        return None
    from function.telemetry import libraries

    libraries.capture(log)
    try:
        from function.telemetry.tracing import Tracing

        return Tracing(settings.service_name)
    except ImportError as exc:
        told = f"{exc.name} is missing; install the extra otel"
    except Exception as exc:  # the SDK's, of a variable that it does not understand
        told = f"{type(exc).__name__}: {exc}"
    log.write("WARNING", f"no traces are sent, as OTEL_* ask: {told}")
    return None


def _access(settings: Settings, log: JsonLog) -> Access | None:
    if settings.auth == "none":
        _warn_of_none(settings, log)
        return None
    from function.security.access import Access

    with exit_where_invalid():
        return Access(_authenticator(settings, log), settings.auth_open_paths)


def _authenticator(settings: Settings, log: JsonLog) -> Authenticator:
    def tell(told: str) -> None:
        log.write("ERROR", told)

    if settings.auth == "api-key":
        from function.security.apikeys import ApiKeys

        return ApiKeys(settings.api_keys, settings.api_keys_file, tell)
    from function.security import tokens

    if settings.jwt_jwks.lower().startswith("http://"):
        log.write("WARNING", "JWT_JWKS is an http:// URL: whoever is on the way can hand in keys")
    return tokens.configured(
        settings.jwt_jwks,
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_leeway_seconds,
        tell,
    )


def _cors(settings: Settings) -> Cors | None:
    if not settings.cors_allow_origins:
        return None
    from function.security.cors import Cors

    with exit_where_invalid():
        return Cors(settings.cors_allow_origins)


def _warn_of_none(settings: Settings, log: JsonLog) -> None:
    """Once, where others than this machine may ask, or keys are set that nobody needs."""
    idle = [name.upper() for name in _OF_AUTH if getattr(settings, name)]
    is_alone = settings.host in _LOOPBACK or settings.host.startswith("127.")
    if is_alone and not idle:
        return
    log.write(
        "WARNING",
        f"anybody who reaches {settings.host}:{settings.port} may ask: set AUTH=api-key or AUTH=jwt"
        ", or let only a gateway reach it that asks who they are",
        has_no_effect=idle or None,
    )
