"""MODEL_URI -> the model's files on disk, and the files -> the model object.

The quick way (``registry.direct``) where it is known to be exact, else mlflow's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from function.errors import ModelLoadError, RegistryAway, VersionGone
from function.model.stages import Stages
from function.registry.lineage import Lineage
from function.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from function.compiled.files import Files
    from function.registry.formats import Permit
    from function.registry.published import NotPublished, Publication

T = TypeVar("T")


class Way(Protocol):
    """How a model is found and fetched: DirectSource, or ``registry.mlflow``."""

    def connect(self, tracking_uri: str, model_uri: str) -> None: ...
    def resolve(self, model_uri: str) -> Lineage: ...
    def glance(self, model_uri: str) -> Lineage: ...
    def download(self, lineage: Lineage, workspace: str, permit: Permit | None) -> Path: ...
    def published(self, lineage: Lineage, found: Publication) -> Files: ...
    def identify(self, lineage: Lineage, folder: Path) -> Lineage: ...


def fetch(settings: Settings, stages: Stages, workspace: str) -> tuple[Lineage, Path]:
    """The model's lineage and files."""
    from tempfile import mkdtemp

    from function.registry import formats

    def take(way: Way) -> tuple[Lineage, Path]:
        lineage = resolve(way, settings, stages)
        with stages.timed("download"):
            early = formats.early_permit(settings)
            folder = way.download(lineage, mkdtemp(dir=workspace), early)
            return way.identify(lineage, folder), folder

    return by_either_way(settings, stages, take)


def resolve(way: Way, settings: Settings, stages: Stages) -> Lineage:
    """Which version MODEL_URI means right now."""
    with stages.timed("import"):
        way.connect(settings.mlflow_tracking_uri, settings.model_uri)
    with stages.timed("resolve"):
        return way.resolve(settings.model_uri)


def glance(settings: Settings, stages: Stages) -> Lineage:
    """The same in one question, where the registry allows it: without aliases and stage.

    A process that serves without MLflow does not import it only to be told of an outage.
    """
    from function.registry.access import NeedsMlflow, NothingMeant, ServerBroken

    def take(way: Way) -> Lineage:
        way.connect(settings.mlflow_tracking_uri, settings.model_uri)
        return way.glance(settings.model_uri)

    if "mlflow" in sys.modules:
        return by_either_way(settings, stages, take)
    try:
        return _directly(stages, take)
    except ServerBroken as exc:
        told = f"The registry does not say which version {settings.model_uri} means"
        raise RegistryAway(f"{told}: {exc}.") from exc
    except NothingMeant as exc:
        raise VersionGone(
            f"The registry has nothing that {settings.model_uri} means ({exc}), and a process that"
            " starts now has no model. Set its alias or stage again, or MODEL_URI to another."
        ) from exc
    except NeedsMlflow as exc:
        told = f"The registry does not say which version {settings.model_uri} means"
        raise ModelLoadError(f"{told}: {exc}.") from exc


def by_either_way(settings: Settings, stages: Stages, take: Callable[[Way], T]) -> T:
    """What ``take`` makes of the quick way where that is known to be exact, else of mlflow's."""
    with stages.timed("import"):
        from function.registry.access import NeedsMlflow, ServerBroken
    try:
        return _directly(stages, take)
    except NeedsMlflow as exc:
        stages.through_mlflow = reason = str(exc)
        is_away = isinstance(exc, ServerBroken)
    with stages.timed("import"):
        from function.registry import mlflow as through_mlflow
        from function.registry.failures import UNREACHABLE
        from function.registry.hangup import hang_up
    if not through_mlflow.is_installed():
        if is_away:
            raise RegistryAway(UNREACHABLE, reason)
        raise ModelLoadError(
            f"{settings.model_uri} can be found by MLflow only, which is not installed here:"
            f" {reason}. Mend that, or install MLflow (pip install 'sentiment-function[local]', in"
            " a clone '.[local]'), or serve it with the registry image."
        )
    stages.hang_up = hang_up
    try:
        return take(through_mlflow)
    except ModelLoadError as exc:
        if is_away:
            away = RegistryAway(exc.told)
            away.args = exc.args
            raise away from exc
        raise


def _directly(stages: Stages, take: Callable[[Way], T]) -> T:
    with stages.timed("import"):
        from function.registry.direct import DirectSource
    with DirectSource() as direct:
        stages.hang_up = direct.hang_up
        return take(direct)


def refuse_without_mlflow(lineage: Lineage, reason: NotPublished) -> None:
    """Raise ModelLoadError, with the command that publishes it, where no original can be loaded."""
    from function.compiled.files import CodeNotAllowed
    from function.registry import mlflow as through_mlflow

    if through_mlflow.is_installed():
        return
    if isinstance(reason.__cause__, CodeNotAllowed):
        raise ModelLoadError(f"{lineage.model_uri} cannot be served as it is published: {reason}.")
    uri = f"models:/{lineage.model_name}/{lineage.version}" if lineage.version else "MODEL_URI"
    raise ModelLoadError(
        f"{lineage.model_uri} is not published: {reason}. MLflow is not installed here to load it"
        f" otherwise; publish it: python -m function.compile {uri} --publish"
    )


def deserialize(lineage: Lineage, folder: Path, settings: Settings, stages: Stages) -> Any:
    """The estimator by skops alone where that is all mlflow would do, else what mlflow gives.

    Nothing of it is read that MODEL_FORMATS and SKOPS_TRUSTED_TYPES do not allow.
    """
    from function.model import owncode
    from function.registry import formats, mlflow, modelfile, skopsfile, skopstypes
    from function.registry.failures import explained

    with explained(lineage.model_uri, folder):
        file = skopsfile.of(folder)  # once: who can write the model may write it again meanwhile
        code = formats.permit(folder, settings)
        if file is not None and skopsfile.is_read_alone(file):
            return skopsfile.load(file.path, settings.trusted_types())
        if file is not None:  # mlflow believes what it lists for itself
            skopstypes.permitted(file.path, settings.trusted_types())
        if file is None or file.has_code:
            formats.permit_code("the model is no skops file alone", settings)
    with owncode.kept_apart(folder):
        model = mlflow.deserialize(lineage, folder, modelfile.flavour(lineage.details))
    if code:
        stages.ran_code.append(formats.warning(code))
    return model


def vectorizer(given: str, settings: Settings, stages: Stages) -> Any:
    """What is in a file here, in an artifact of a run, or in a model of its own."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from function.model import vectorizers

    if Path(given).is_file():
        return vectorizers.read_file(Path(given), settings, stages)
    with TemporaryDirectory(prefix="vectorizer-") as workspace:
        path = _download(settings.replace(model_uri=given), stages, workspace)
        if path.is_file():
            return vectorizers.read_file(path, settings, stages)
        lineage, folder = fetch(settings.replace(model_uri=given), stages, workspace)
        return deserialize(lineage, folder, settings, stages)


def _download(settings: Settings, stages: Stages, workspace: str) -> Path:
    """The files of MODEL_URI, which need be no model's."""
    from tempfile import mkdtemp

    from function.registry import mlflow

    with stages.timed("download"):
        mlflow.connect(settings.mlflow_tracking_uri, settings.model_uri)
        return mlflow.download(mlflow.resolve(settings.model_uri), mkdtemp(dir=workspace))
