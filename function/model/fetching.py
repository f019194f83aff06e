"""MODEL_URI -> the model's files on disk, and the files -> the model object.

The quick way (``registry.direct``) where it is known to be exact, else mlflow's.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Protocol

from function.model.stages import Stages
from function.registry.lineage import Lineage
from function.settings import Settings


def fetch(settings: Settings, stages: Stages, workspace: str) -> tuple[Lineage, Path]:
    """The model's lineage and files: the quick way where it is known to be exact, else mlflow's."""
    with stages.timed("import"):
        from function.registry import mlflow as through_mlflow
        from function.registry.access import NeedsMlflow
        from function.registry.direct import DirectSource
        from function.registry.hangup import hang_up
    try:
        with DirectSource() as direct:
            stages.hang_up = direct.hang_up
            return _fetch_by(direct, settings, stages, workspace)
    except NeedsMlflow as reason:
        stages.through_mlflow = str(reason)
    stages.hang_up = hang_up
    return _fetch_by(through_mlflow, settings, stages, workspace)


class Way(Protocol):
    """How a model is found and fetched: DirectSource, or ``registry.mlflow``."""

    def connect(self, tracking_uri: str, model_uri: str) -> None: ...
    def resolve(self, model_uri: str) -> Lineage: ...
    def download(self, lineage: Lineage, workspace: str) -> Path: ...
    def identify(self, lineage: Lineage, folder: Path) -> Lineage: ...


def _fetch_by(way: Way, settings: Settings, stages: Stages, workspace: str) -> tuple[Lineage, Path]:
    with stages.timed("import"):
        way.connect(settings.mlflow_tracking_uri, settings.model_uri)
    with stages.timed("resolve"):
        lineage = way.resolve(settings.model_uri)
    with stages.timed("download"):
        folder = way.download(lineage, mkdtemp(dir=workspace))
        return way.identify(lineage, folder), folder


def deserialize(lineage: Lineage, folder: Path) -> Any:
    """The estimator by skops alone where that is all mlflow would do, else what mlflow gives."""
    from function.model import owncode
    from function.registry import mlflow, modelfile, skopsfile
    from function.registry.failures import explained

    if file := skopsfile.find(folder):
        with explained(lineage.model_uri, folder):
            return skopsfile.load(file)
    with owncode.kept_apart(folder):
        return mlflow.deserialize(lineage, folder, modelfile.flavour(lineage.details))


def vectorizer(given: str, settings: Settings, stages: Stages) -> Any:
    """What is in a file here, in an artifact of a run, or in a model of its own."""
    from function.model import vectorizers

    if Path(given).is_file():
        return vectorizers.read_file(Path(given))
    with TemporaryDirectory(prefix="vectorizer-") as workspace:
        path = _download(settings.replace(model_uri=given), stages, workspace)
        if path.is_file():
            return vectorizers.read_file(path)
        lineage, folder = fetch(settings.replace(model_uri=given), stages, workspace)
        return deserialize(lineage, folder)


def _download(settings: Settings, stages: Stages, workspace: str) -> Path:
    """The files of MODEL_URI, which need be no model's."""
    from function.registry import mlflow

    with stages.timed("download"):
        mlflow.connect(settings.mlflow_tracking_uri, settings.model_uri)
        return mlflow.download(mlflow.resolve(settings.model_uri), mkdtemp(dir=workspace))
