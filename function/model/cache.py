"""The model cache: loaded lazily and once, awaited by many, failures remembered and retried.

The load runs in a thread of its own, so that a readiness probe can start it without waiting and
a cold request can stop waiting without stopping the load.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from function.errors import ModelLoadError, ModelUnavailable, ServiceError, UnusableModel
from function.model.attempt import LoadedModel
from function.model.loading import LoadFailure

Load = Callable[[], LoadedModel]


class ModelCache:
    """Holds one model; ``load`` is called once at a time and never again after it succeeded.

    ``when_loaded`` is called once it has.
    """

    def __init__(self, load: Load, retry_seconds: float, most_waiting: int = 64) -> None:
        self._load = load
        self._retry_seconds = retry_seconds
        self._most_waiting = most_waiting
        self._waiting = 0
        self._lock = threading.Lock()
        self._model: LoadedModel | None = None
        self._failure: ServiceError | None = None
        self._failed_at = 0.0
        self._attempt: threading.Event | None = None
        self.when_loaded: Callable[[], None] = lambda: None

    @property
    def model(self) -> LoadedModel | None:
        """The model if it is loaded; asking loads nothing."""
        return self._model

    @property
    def loading(self) -> bool:
        """Whether a load is under way."""
        return self._attempt is not None

    @property
    def failed(self) -> bool:
        """Whether the last load failed."""
        return self._failure is not None

    def get(self, wait_seconds: float) -> LoadedModel:
        """The model, loading it or waiting for the load under way.

        Raises ModelUnavailable (503) when the load fails or takes longer than ``wait_seconds``;
        within the pause after a failure, or when too many wait already, at once. A model whose
        answers could not be read is UnusableModel (500).
        """
        if self._model is not None:
            return self._model
        attempt = self.start()
        finished = self._wait(attempt, wait_seconds) if attempt is not None else True
        if self._model is not None:
            return self._model
        if finished and self._failure is not None:
            raise self._remembered(self._failure)
        raise ModelUnavailable("The model is still loading.", retry_after_seconds=1)

    def _wait(self, attempt: threading.Event, seconds: float) -> bool:
        """Wait for the attempt to end, unless the server's threads are all waiting already.

        A few must stay free: whoever probes the process would take it for dead.
        """
        with self._lock:
            if self._waiting >= self._most_waiting:
                return attempt.is_set()
            self._waiting += 1
        try:
            return attempt.wait(seconds)
        finally:
            with self._lock:
                self._waiting -= 1

    def start(self) -> threading.Event | None:
        """Begin a load unless one is under way, done, or failed a moment ago; does not wait.

        Returns what is set when the attempt under way has ended, or None where there is none.
        """
        with self._lock:
            if self._model is not None or (self._attempt is None and self._pause() > 0):
                return None
            if self._attempt is None:
                self._attempt = threading.Event()
                threading.Thread(target=self._run, name="model-load", daemon=True).start()
            return self._attempt

    def load_now(self) -> None:
        """Load in the calling thread, before there are others; raises ModelLoadError."""
        self._run()
        if self._failure is not None:
            raise ModelLoadError(self._failure.detail)

    def replace(self, model: LoadedModel) -> None:
        """From now on requests get this one; those under way keep what they have."""
        self._model = model

    def unavailable(self) -> ModelUnavailable:
        """Why there is no model right now, as a readiness probe is told: always a 503."""
        if self._failure is not None and not self.loading:
            return ModelUnavailable(self._failure.detail, self._pause())
        return ModelUnavailable("The model is still loading.", retry_after_seconds=1)

    def _run(self) -> None:
        model: LoadedModel | None = None
        failure: ServiceError | None = None
        try:
            model = self._load()
        except LoadFailure as exc:
            failure = exc.answer
        except BaseException as exc:  # nothing may leave the waiting requests waiting
            detail = f"The model could not be loaded ({type(exc).__name__})."
            failure = ModelUnavailable(detail, self._retry_seconds)
        with self._lock:
            self._model, self._failure = model, failure
            self._failed_at = time.monotonic()
            attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.set()
        if model is not None:
            self.when_loaded()

    def _remembered(self, failure: ServiceError) -> ServiceError:
        """The failure as a new exception: one raised again would drag its old frames along."""
        if isinstance(failure, UnusableModel):
            return UnusableModel()
        return ModelUnavailable(failure.detail, self._pause())

    def _pause(self) -> float:
        """Seconds until the next load may start."""
        if self._failure is None:
            return 0.0
        return self._failed_at + self._retry_seconds - time.monotonic()
