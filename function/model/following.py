"""A running service follows its alias or stage: a promotion in MLflow is then a deployment.

One question, now and then, whether MODEL_URI means another version now; if so, that one is loaded
beside the one that serves, checked, and put in its place. Requests take the model once, at their
start: none waits, fails or sees two. A version that cannot take over is refused, and the one that
serves goes on.
"""

from __future__ import annotations

import random
import threading
from typing import NamedTuple

from function.errors import ModelLoadError, ModelUnavailable, VersionGone
from function.model.attempt import Attempt, LoadedModel, load_newest
from function.model.cache import ModelCache
from function.model.fetching import glance
from function.model.loading import Loader, LoadFailure
from function.registry import published, uris
from function.registry.lineage import Lineage
from function.settings import Settings
from function.telemetry.logs import timestamp
from function.telemetry.signals import Signals

JITTER = 0.1
"""Share of the interval by which it varies: pods that started together do not ask together."""
LONGEST_PAUSE_SECONDS = 300.0
LOOK_SECONDS = 30.0
"""Longest that the registry may take to say which version is meant, drips and all."""


class Refusal(NamedTuple):
    """A version that did not take over, why, and since when; None where MODEL_URI means none."""

    version: str | None
    reason: str
    since: str
    is_final: bool
    """Whether loading it again could not change that."""


class Follower:
    """Keeps a cache's model the one that MODEL_URI means."""

    def __init__(self, settings: Settings, signals: Signals, models: ModelCache) -> None:
        self.refusal: Refusal | None = None
        self._settings = settings
        self._log, self._metrics = signals.log, signals.metrics
        self._models = models
        self._load = Loader(settings, signals, work=load_newest)
        self._one_at_a_time = threading.Lock()
        self._asked_meanwhile = False
        self._refused: Lineage | None = None
        self._failures = 0
        self._is_away = False
        self.follows = not settings.compiled_model and uris.moves(settings.model_uri)

    def start(self) -> None:
        """Ask from now on, in a thread of its own, where the settings want that."""
        if not (self._settings.model_refresh_seconds or self._is_stale):
            return
        if not (self.follows or self._is_stale):
            told = "MODEL_REFRESH_SECONDS has no effect: the model is one version, and stays it"
            self._log.write("WARNING", told)
            return
        threading.Thread(target=self._run, name="model-refresh", daemon=True).start()

    def look(self) -> str:
        """Ask once, now, and follow: ``unchanged``, ``replaced``, ``refused``, ``under way`` where
        somebody asks already, who will ask once more, or ``fixed`` where the model is one version
        for good.

        Raises ModelUnavailable (503) where the registry does not say.
        """
        if not (self.follows or self._is_stale):
            return "fixed"
        return self._look_alone(is_asked_for=True)

    def _run(self) -> None:
        while self._settings.model_refresh_seconds or self._is_stale:
            threading.Event().wait(self._pause())
            try:
                self._look_alone(is_asked_for=False)
            except ModelUnavailable:
                pass  # logged
            except Exception as exc:  # whatever it is, the model that serves goes on
                self._failures += 1
                self._log.failure("following the model failed", exc)

    def _look_alone(self, is_asked_for: bool) -> str:
        """One look at a time: threads that waited for theirs would be missed by requests. Who looks
        sees, once it has let go, whether somebody came meanwhile, and looks again."""
        self._asked_meanwhile, outcome = True, "under way"
        while self._asked_meanwhile and self._one_at_a_time.acquire(blocking=False):
            try:
                self._asked_meanwhile = False
                outcome = "failed"
                outcome = self._look(is_asked_for)
            finally:
                is_gone = self.refusal is not None and self.refusal.version is None
                self._metrics.refreshed("refused" if is_gone else outcome)
                self._one_at_a_time.release()
        return outcome

    @property
    def _is_stale(self) -> bool:
        served = self._models.model
        return served is not None and served.is_stale

    def _pause(self) -> float:
        """The interval, longer by half each time nothing comes of it, and never quite the same."""
        settings = self._settings
        interval = settings.model_refresh_seconds or max(settings.load_retry_seconds, 1.0)
        seconds = interval * 1.5 ** min(self._failures, 20)
        longest = max(LONGEST_PAUSE_SECONDS, interval)
        return min(seconds, longest) * random.uniform(1 - JITTER, 1)

    def _look(self, is_asked_for: bool) -> str:
        meant = self._meant()
        served = self._models.model
        if served is None or _is_same(meant, served.lineage):
            self.refusal, self._refused, self._failures = None, None, 0
            if served is not None and served.is_stale:
                self._models.replace(served._replace(is_stale=False))
                self._log.write("INFO", "the registry is back: the model is the one it names")
            return "unchanged"
        is_refused = self._refused is not None and _is_same(meant, self._refused)
        if is_refused and self.refusal and self.refusal.is_final and not is_asked_for:
            return "refused"
        try:
            model = self._load()
        except LoadFailure as exc:
            self._refuse(meant, exc.answer.detail)
            return "refused"
        if reason := self._unlike(served, model):
            self._refuse(model.lineage, reason, is_final=True)
            return "refused"
        self._models.replace(model)
        self.refusal, self._refused, self._failures = None, None, 0
        self._log.write(
            "INFO",
            "model replaced",
            model_version=model.lineage.shown_version,
            model_version_before=served.lineage.shown_version,
        )
        return "replaced"

    def _meant(self) -> Lineage:
        try:
            told = f"The registry did not say within {LOOK_SECONDS:g} s which version is meant."
            found = Attempt(self._settings, glance).result(LOOK_SECONDS, told)
        except Exception as exc:
            self._failures += 1
            detail = exc.told if isinstance(exc, ModelLoadError) else type(exc).__name__
            if isinstance(exc, VersionGone):
                self._lose(detail)
            elif not self._is_away:
                self._log.write("WARNING", f"the registry does not say which version: {exc}")
            self._is_away = not isinstance(exc, VersionGone)
            pause = self._settings.model_refresh_seconds or self._settings.load_retry_seconds
            raise ModelUnavailable(self._log.redact(detail), pause) from exc
        self._is_away = False
        return found

    def _lose(self, reason: str) -> None:
        """There is nothing any more that MODEL_URI means: what serves goes on, and nobody new can
        start."""
        if self.refusal is None or self.refusal.version is not None:
            self._refused = None
            self.refusal = Refusal(None, reason, timestamp(), is_final=False)
            self._log.write("ERROR", "the registry has nothing that is meant", reason=reason)

    def _unlike(self, served: LoadedModel, model: LoadedModel) -> str | None:
        """Why the new model may not take the old one's place."""
        before, after = served.predictor.labels, model.predictor.labels
        if self._settings.model_labels_may_change or before is None or after is None:
            return None
        if set(before) == set(after) and served.predictor.multilabel == model.predictor.multilabel:
            return None
        return (
            f"Its labels are {', '.join(after)}, and those served are {', '.join(before)}: clients"
            " rely on them. Set MODEL_LABELS_MAY_CHANGE=true if they may change."
        )

    def _refuse(self, lineage: Lineage, reason: str, is_final: bool = False) -> None:
        is_new = self._refused is None or not _is_same(lineage, self._refused)
        self._refused = lineage
        self._failures = 1 if is_new else self._failures + 1
        since = self.refusal.since if self.refusal and not is_new else timestamp()
        self.refusal = Refusal(lineage.shown_version, reason, since, is_final)
        if is_new:
            told = "a version was refused, and the one before it serves on"
            self._log.write("ERROR", told, model_version=lineage.shown_version, reason=reason)


def _is_same(one: Lineage, other: Lineage) -> bool:
    """Whether both are one version, published alike, as far as both say: a registry may leave out
    ids that the model's own file has."""
    if (one.model_name, one.version) != (other.model_name, other.version):
        return False
    if published.tags_of(one.tags) != published.tags_of(other.tags):
        return False
    ids = ((one.run_id, other.run_id), (one.model_id, other.model_id))
    return all(mine == its for mine, its in ids if mine and its)
