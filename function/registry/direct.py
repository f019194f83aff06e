"""A model straight from an MLflow server or a folder, where mlflow would do nothing else.

The quick way of a load, and all or nothing: it serves a scikit-learn model in a skops file,
behind the server's artifact proxy or in a folder that is there. Whatever else turns up raises
NeedsMlflow, and mlflow starts over: the answer and the error messages are then its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from function.compiled.files import Files
from function.errors import ModelLoadError
from function.registry import published, uris, versions
from function.registry.access import NeedsMlflow, NotThere
from function.registry.lineage import Lineage
from function.registry.published import NotPublished, Publication, PublishedFiles
from function.registry.tracking import TrackingServer

if TYPE_CHECKING:
    from pathlib import Path

    from function.registry.formats import Permit


class DirectSource:
    """As the functions of ``registry``, without mlflow; a context manager that hangs up."""

    def __init__(self) -> None:
        self._server: TrackingServer | None = None

    def __enter__(self) -> DirectSource:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    def hang_up(self) -> None:
        """From another thread: whatever is being waited for ends, and nothing more is asked."""
        if self._server is not None:
            self._server.hang_up()

    def connect(self, tracking_uri: str, model_uri: str) -> None:
        """Check that the server is one to ask; a folder needs none."""
        scheme = uris.scheme(model_uri)
        if scheme == "runs":
            raise NeedsMlflow("a run's files are mlflow's to find")
        if scheme == "models":
            if uris.model_name(model_uri).profile:
                raise NeedsMlflow("MODEL_URI names a registry of its own")
            with _exactly():
                self._server = TrackingServer(tracking_uri)

    def resolve(self, model_uri: str) -> Lineage:
        """As versions.resolve."""
        with _exactly():
            return versions.resolve(self._connected, model_uri)

    def glance(self, model_uri: str) -> Lineage:
        """As versions.glance."""
        with _exactly():
            return versions.glance(self._connected, model_uri)

    def download(self, lineage: Lineage, workspace: str, permit: Permit | None = None) -> Path:
        """Bring the model's files into ``workspace``; a folder that is here is used as it is."""
        with _exactly():
            location = lineage.source
            if location.startswith("models:/"):
                location = self._connected().location(location)
            return _local_folder(location, permit) or self._fetched(location, workspace, permit)

    def published(self, lineage: Lineage, found: Publication) -> Files:
        """The published folder's files, fetched as they are read; NotPublished where the version's
        own are not those it was made from, or a file is not there."""
        server = self._connected()
        with _exactly():
            is_logged = lineage.model_id is not None
            models = found.location if is_logged else server.location(lineage.source)
            published.check_listing(found, server.files(models, skipped=published.FOLDER))

        def ask(name: str) -> Iterator[bytes]:
            with _exactly():
                try:
                    yield from server.pieces(f"{found.location}/{found.path}", name)
                except NotThere:
                    told = f"{found.path}/{name} is not among its artifacts"
                    raise NotPublished(told) from None

        return PublishedFiles(found, ask)

    def identify(self, lineage: Lineage, folder: Path) -> Lineage:
        """As versions.identify, with what the model's MLmodel file says."""
        from function.registry import modelfile

        details = modelfile.read(folder)
        with _exactly():
            return versions.identify(self._connected, lineage, details)

    def _connected(self) -> TrackingServer:
        if self._server is None:
            raise NeedsMlflow("no server is connected")
        return self._server

    def _fetched(self, location: str, workspace: str, permit: Permit | None) -> Path:
        """The MLmodel file first: it says whether the rest is worth fetching."""
        from pathlib import Path

        server, folder = self._connected(), Path(workspace)
        server.save(location, "MLmodel", workspace)
        _refuse_other_formats(folder, permit)
        for path in server.files(location, skipped=published.FOLDER):
            if path != "MLmodel":
                server.save(location, path, workspace)
        return folder


def _local_folder(location: str, permit: Permit | None) -> Path | None:
    folder = uris.local_path(location)
    if folder is None:
        return None
    if not folder.is_dir():
        raise NeedsMlflow("the folder is not here")
    _refuse_other_formats(folder, permit)
    return folder


def _refuse_other_formats(folder: Path, permit: Permit | None) -> None:
    from function.registry import skopsfile

    if permit is not None:
        permit(folder)
    if skopsfile.find(folder) is None:
        raise NeedsMlflow("the model is no plain skops file")


@contextmanager
def _exactly() -> Iterator[None]:
    """Whatever else goes wrong on the way, mlflow may know better, or says it in its own words."""
    try:
        yield
    except (ModelLoadError, NeedsMlflow, NotPublished):
        raise
    except Exception as exc:
        raise NeedsMlflow(f"{type(exc).__name__} on the quick way") from exc
