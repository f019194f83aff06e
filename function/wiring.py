"""The one place where the parts are put together: settings in, an application out."""

from __future__ import annotations

from function.http.application import Application
from function.http.endpoints import Service
from function.http.routes import directory
from function.model.attempt import Attempt, LoadedModel
from function.model.cache import ModelCache
from function.model.following import Follower
from function.model.loading import Loader
from function.settings import Settings
from function.telemetry.logs import JsonLog
from function.telemetry.metrics import Metrics
from function.telemetry.start import StartRecord


def create_application(
    settings: Settings, tells_start: bool = False, begun: Attempt[LoadedModel] | None = None
) -> Application:
    """The application that both doors call; loads nothing yet.

    With ``tells_start`` the log gets a record of what the start was spent on. ``begun`` is a load
    that is under way.
    """
    log = JsonLog(settings.log_level, settings.service_name)
    metrics = Metrics()
    models = ModelCache(
        Loader(settings, log, metrics, begun), settings.load_retry_seconds, settings.max_concurrency
    )
    follower = Follower(settings, log, metrics, models)
    models.when_loaded = follower.start
    start = StartRecord(log) if tells_start else None
    return Application(Service(settings, models, follower, metrics, directory()), log, start)
