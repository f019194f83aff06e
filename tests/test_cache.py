"""The model cache alone: one load, many waiters, failures remembered for a while."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from function.errors import ModelUnavailable, ServiceError, UnusableModel
from function.model.cache import ModelCache
from function.model.loading import LoadedModel, LoadFailure
from function.predictor import Prediction
from function.registry.lineage import Lineage


class Echo:
    """The smallest predictor."""

    engine = "echo"
    labels = None
    quick_bytes = 0

    def predict(self, texts: object) -> list[Prediction]:
        return []


LOADED = LoadedModel(Echo(), Lineage("models:/m/1", "models:/m/1"), {}, None, "now")


class Source:
    """Loads slowly, failing as often as told, and counts."""

    def __init__(self, failures: int = 0, answer: ServiceError | None = None) -> None:
        self.calls = 0
        self.failures = failures
        self.answer = answer or ModelUnavailable("registry down", 1)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> LoadedModel:
        self.calls += 1
        self.gate.wait(10)
        if self.calls <= self.failures:
            raise LoadFailure(self.answer)
        return LOADED


def test_fifty_cold_requests_cause_one_load_and_all_get_the_model() -> None:
    source = Source()
    source.gate.clear()
    cache = ModelCache(source, retry_seconds=1)
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(cache.get, 10) for _ in range(50)]
        assert cache.loading
        source.gate.set()
        assert all(future.result() is LOADED for future in waiting)
    assert source.calls == 1
    assert not cache.loading


def test_all_waiters_are_told_of_a_failed_load() -> None:
    source = Source(failures=1)
    source.gate.clear()
    cache = ModelCache(source, retry_seconds=60)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(cache.get, 10) for _ in range(10)]
        source.gate.set()
        for future in waiting:
            with pytest.raises(ModelUnavailable, match="registry down"):
                future.result()
    assert source.calls == 1
    assert cache.failed


def test_within_the_pause_the_failure_is_remembered_with_the_time_left() -> None:
    cache = ModelCache(Source(failures=9), retry_seconds=30)
    with pytest.raises(ModelUnavailable):
        cache.get(10)
    started = time.monotonic()
    with pytest.raises(ModelUnavailable) as caught:
        cache.get(10)
    assert time.monotonic() - started < 5
    assert 28 <= int(caught.value.headers["Retry-After"]) <= 30
    time.sleep(2.1)
    with pytest.raises(ModelUnavailable) as caught:
        cache.get(10)
    assert int(caught.value.headers["Retry-After"]) <= 28


def test_after_the_pause_the_next_request_loads_again() -> None:
    source = Source(failures=1)
    cache = ModelCache(source, retry_seconds=0)
    with pytest.raises(ModelUnavailable):
        cache.get(10)
    assert cache.get(10) is LOADED
    assert not cache.failed


def test_a_request_stops_waiting_while_the_load_goes_on() -> None:
    source = Source()
    source.gate.clear()
    cache = ModelCache(source, retry_seconds=1)
    with pytest.raises(ModelUnavailable, match="still loading"):
        cache.get(0.01)
    source.gate.set()
    assert cache.get(10) is LOADED
    assert source.calls == 1


def test_a_model_that_answers_nonsense_is_500_to_requests_and_503_to_probes() -> None:
    cache = ModelCache(Source(failures=9, answer=UnusableModel()), retry_seconds=60)
    seen = []
    for _ in range(2):
        with pytest.raises(UnusableModel) as caught:
            cache.get(10)
        seen.append(caught.value)
    assert seen[0] is not seen[1]
    assert cache.unavailable().status == 503


def test_a_load_that_ends_the_thread_leaves_nobody_waiting() -> None:
    def leave() -> LoadedModel:
        raise SystemExit(1)

    cache = ModelCache(leave, retry_seconds=60)
    with pytest.raises(ModelUnavailable, match="SystemExit"):
        cache.get(10)
    assert cache.failed and not cache.loading


def test_no_more_wait_than_the_server_has_threads_for() -> None:
    source = Source()
    source.gate.clear()
    cache = ModelCache(source, retry_seconds=1, most_waiting=3)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(cache.get, 10) for _ in range(10)]
        done, _ = wait(waiting, timeout=5, return_when=FIRST_COMPLETED)
        time.sleep(0.2)
        refused = [future for future in waiting if future.done()]
        source.gate.set()
    assert len(refused) == 7
    assert all(future.exception().status == 503 for future in refused)
    assert sum(future.exception() is None for future in waiting) == 3
