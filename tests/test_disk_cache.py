"""MODEL_CACHE: a cold start serves what was last served while the registry is away."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from function.compiled import artifact
from function.model.disk import DiskCache, Kept
from function.registry.lineage import Lineage
from function.registry.published import PublishedFiles, publication
from tests.fronts import Front, front
from tests.processes import LiveServer, Reply
from tests.promotions import follow, log_version, promote, served, wait_until
from tests.registry import Registry

pytestmark = pytest.mark.usefixtures("no_settings_of_mlflow")

NAME = "kept"
OF_A_RUN = Lineage("models:/m/1", "s", run_id="run")


@pytest.fixture(scope="module")
def upstream(server_registry: Registry) -> str:
    """A real MLflow server with two published versions."""
    for _ in range(2):
        log_version(server_registry.tracking_uri, NAME)
    return server_registry.tracking_uri


class Troubled:
    """The server behind a front that can be away, broken or slow."""

    def __init__(self, url: str) -> None:
        self.upstream = url
        self.trouble: Callable[[str], Reply | None] | None = None
        self.front: Front | None = None

    def answer(self, path: str) -> Reply | None:
        return self.trouble(path) if self.trouble else None

    @property
    def url(self) -> str:
        assert self.front is not None
        return self.front.url

    def fetched(self) -> list[str]:
        """The artifacts' files that were asked for so far."""
        assert self.front is not None
        return [asked.path for asked in self.front.asked if "vectorizer" in asked.path]


@pytest.fixture
def registry(upstream: str) -> Iterator[Troubled]:
    registry = Troubled(upstream)
    promote(upstream, NAME, "1")
    with front(upstream, registry.answer) as registry.front:
        yield registry


Start = Callable[..., LiveServer]


@pytest.fixture
def start(registry: Troubled, tmp_path: Path) -> Iterator[Start]:
    """A cold start, with the cache that those before it had."""
    started: list[LiveServer] = []

    def start_(is_awaited: bool = True, **environ: str) -> LiveServer:
        given = {"MODEL_CACHE": str(tmp_path / "cache"), "MODEL_REFRESH_SECONDS": "0", **environ}
        folder = tmp_path / str(len(started))
        started.append(follow(registry.url, NAME, folder, is_awaited, **given))
        return started[-1]

    yield start_
    for server in started:
        server.process.kill()
        server.process.wait()


def told(server: LiveServer) -> bool:
    """Whether health says that the model is stale."""
    return bool(server.request("/health").json["stale"])


def away(path: str) -> Reply | None:
    return Reply(503, {}, b"no")


def test_what_was_served_is_served_while_the_registry_is_away_and_said_to_be_stale(
    registry: Troubled, start: Start
) -> None:
    assert not told(start())
    registry.trouble = away
    server = start(MODEL_REFRESH_SECONDS="0")
    assert served(server) == "1" and told(server)
    info = server.request("/models/info").json
    assert info["aliases"] == ["champion"] and info["digest"] and info["stale"] is True
    (record,) = [r for r in server.records() if r["message"] == "model loaded"]
    assert record["stale"] is True and record["registry_away"]
    registry.trouble = None
    assert wait_until(lambda: not told(server), 15)
    assert served(server) == "1"


def test_when_the_registry_is_back_what_it_names_by_then_is_served(
    registry: Troubled, start: Start
) -> None:
    start()
    registry.trouble = away
    server = start()
    promote(registry.upstream, NAME, "2")
    assert served(server) == "1"
    registry.trouble = None
    assert wait_until(lambda: served(server) == "2", 15)
    assert not told(server)


def test_a_registry_that_drips_is_away(registry: Troubled, start: Start) -> None:
    start()
    assert registry.front is not None
    registry.front.pause_seconds = 0.5
    server = start()
    assert served(server) == "1" and told(server)


def test_a_server_that_is_not_there_at_all_is_away(
    registry: Troubled, start: Start, tmp_path: Path
) -> None:
    start()
    (record,) = (tmp_path / "cache").glob("*.json")
    nowhere = "http://127.0.0.1:9"
    cache = DiskCache(str(tmp_path / "cache"), 10**9)
    uri = f"models:/{NAME}@champion"
    kept = cache.last_served(registry.url, uri)
    assert kept is not None and record.exists()
    cache.served(nowhere, uri, kept)
    server = start(MLFLOW_TRACKING_URI=nowhere)
    assert served(server) == "1" and told(server)


def test_a_registry_that_says_no_is_not_away(registry: Troubled, start: Start) -> None:
    start()
    gone = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such alias"}'
    registry.trouble = lambda path: Reply(404, {"Content-Type": "application/json"}, gone)
    server = start(is_awaited=False)
    answer = server.request("/predict", {"text": "lovely"})
    assert answer.status == 503 and "is not there" in answer.json["detail"]


def test_what_is_kept_is_data_and_served_where_models_are_to_be_and_a_pickle_after_it_is_not(
    registry: Troubled, start: Start
) -> None:
    pickled = log_version(registry.upstream, NAME, publish=False, serialization_format="pickle")
    start(MODEL_FORMATS="skops")
    promote(registry.upstream, NAME, pickled)
    server = start(is_awaited=False, MODEL_FORMATS="skops")
    assert "MODEL_FORMATS=skops forbids" in server.request("/models/info").json["detail"]
    registry.trouble = away
    server = start(MODEL_FORMATS="skops")
    assert served(server) == "1" and told(server)


def test_the_next_cold_start_fetches_nothing_again(registry: Troubled, start: Start) -> None:
    start()
    assert len(registry.fetched()) == 1
    assert served(start()) == "1"
    assert len(registry.fetched()) == 1


def test_what_is_kept_is_a_compiled_folder_and_one_that_is_damaged_is_fetched_anew(
    registry: Troubled, start: Start, tmp_path: Path
) -> None:
    start()
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert artifact.digest(folder) == folder.name
    assert artifact.load(folder)[0].predict(["lovely"])
    (folder / "vectorizer.0").write_bytes(b"cut short")
    assert served(start()) == "1"
    assert len(registry.fetched()) == 2
    assert artifact.load(folder)[0].predict(["lovely"])


def test_a_folder_that_cannot_be_written_costs_only_the_cache(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    server = start(MODEL_CACHE=str(tmp_path / "file" / "cache"))
    assert served(server) == "1"
    (record,) = [r for r in server.records() if r["message"] == "model loaded"]
    assert "Not a directory" in record["not_cached"]


def test_several_processes_share_one_cache(registry: Troubled, tmp_path: Path) -> None:

    given = {"MODEL_CACHE": str(tmp_path / "cache"), "MODEL_REFRESH_SECONDS": "0"}

    def start_one(number: int) -> LiveServer:
        return follow(registry.url, NAME, tmp_path / str(number), **given)

    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(start_one, range(4)))
    assert [served(server) for server in servers] == ["1"] * 4
    for server in servers:
        server.process.kill()
        server.process.wait()
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert len(names) == 2 and not any(name.endswith(".partial") for name in names)


def keep(cache: DiskCache, number: int, size: int) -> Any:
    """A folder of that size, kept."""
    content = {"a": b"x" * size}
    found = publication("place/run", f"{number}  a\n".encode(), "", {}, "", 3)
    with cache.keeping(found, PublishedFiles(found, lambda name: iter([content[name]]))) as files:
        files.read("a")
    return found


def test_of_many_models_those_used_longest_ago_go_first(tmp_path: Path) -> None:

    cache = DiskCache(str(tmp_path), most_bytes=2_500)
    found = []
    for number in range(4):
        found.append(keep(cache, number, 1_000))
        os.utime(tmp_path / found[number].digest, (number, number))
    cache.folder(found[0])  # used just now
    cache.served("uri", "models:/m/1", Kept(OF_A_RUN, found[3]))
    left = [number for number in range(4) if cache.folder(found[number])]
    assert left == [0, 3]
    kept = cache.last_served("uri", "models:/m/1")
    assert kept is not None and kept.publication == found[3]
    assert cache.last_served("uri", "models:/m/2") is None


@pytest.mark.parametrize(
    "told",
    ["[" * 9999, "[]", "null", '{"lineage": [], "publication": {}}', '{"lineage": {}}', "\xff"],
    ids=range(6),
)
def test_a_damaged_record_is_as_none(tmp_path: Path, told: str) -> None:
    cache = DiskCache(str(tmp_path), 10**9)
    cache.served("uri", "models:/m/1", Kept(OF_A_RUN, keep(cache, 1, 10)))
    (record,) = tmp_path.glob("*.json")
    record.write_text(told, encoding="latin-1")
    assert cache.last_served("uri", "models:/m/1") is None


def test_what_else_is_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "data").write_bytes(b"x" * 10_000)
    (tmp_path / "my.partial").mkdir()
    os.utime(tmp_path / "my.partial", (0, 0))
    cache = DiskCache(str(tmp_path), most_bytes=1)
    cache.served("uri", "models:/m/1", Kept(OF_A_RUN, keep(cache, 1, 10)))
    assert (tmp_path / "precious" / "data").exists() and (tmp_path / "my.partial").exists()


def test_an_outage_brings_back_nothing_that_was_withdrawn(
    registry: Troubled, start: Start, tmp_path: Path
) -> None:
    start()
    assert len(list((tmp_path / "cache").glob("*.json"))) == 1
    version = log_version(registry.upstream, NAME, publish=False)
    promote(registry.upstream, NAME, version)
    assert served(start()) == version
    assert not list((tmp_path / "cache").glob("*.json"))


def test_what_a_process_left_half_written_is_taken_away(tmp_path: Path) -> None:
    for name, age in (("a" * 64, 7200), ("b" * 64, 0)):
        partial = tmp_path / f".{name}.01234567.partial"
        partial.mkdir()
        os.utime(partial, (time.time() - age, time.time() - age))
    record = tmp_path / f".{'c' * 32}.json.01234567.partial"
    record.write_text("{")
    os.utime(record, (0, 0))
    cache = DiskCache(str(tmp_path), 10**9)
    found = keep(cache, 1, 10)
    cache.served("uri", "models:/m/1", Kept(OF_A_RUN, found))
    assert [path.name[1] for path in tmp_path.glob(".*.partial")] == ["b"]
