"""What went wrong in mlflow, in one sentence an operator can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import shorten

from function.errors import ModelLoadError
from function.telemetry.logs import without_credentials

UNREACHABLE = (
    "The MLflow server cannot be reached. Check MLFLOW_TRACKING_URI and that the server is up;"
    " the load is tried again."
)

_LONGEST_MESSAGE = 300


@contextmanager
def explained(subject: str, folder: Path | None = None) -> Iterator[None]:
    """Whatever the block raises leaves as ModelLoadError, in the words of ``explain``."""
    try:
        yield
    except ModelLoadError:
        raise
    except Exception as exc:
        raise ModelLoadError(explain(exc, subject, folder)) from exc


def explain(exc: Exception, subject: str, folder: Path | None = None) -> str:
    """The detail for a failure while working on ``subject``; ``folder`` is the model's own."""
    subject = without_credentials(subject)
    chain = list(_chain(exc))
    for link in chain:
        if isinstance(link, ImportError) and link.name:
            package = link.name.partition(".")[0]
            return (
                f"{subject}: the Python package {package!r} is missing or does not fit. Install"
                " it beside the service (the model's own requirements.txt names its version)."
                + _versions(folder)
            )
    if any(type(link).__name__ in ("ConnectionError", "ConnectTimeout") for link in chain):
        return UNREACHABLE
    message = _first_line(exc)
    if "database schema" in message:
        return (
            f"The MLflow database was written by another MLflow version than {_version('mlflow')}:"
            f" {message} Upgrade it with 'mlflow db upgrade', or install its MLflow version."
        )
    if "MLFLOW_ALLOW_PICKLE_DESERIALIZATION" in str(exc):
        return (
            f"{subject}: the model is a pickle, and MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids"
            " loading one. Set it to true if you trust the registry, or log the model with skops."
        )
    code = getattr(exc, "error_code", "")
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return (
            "The MLflow server refused the credentials. Set MLFLOW_TRACKING_USERNAME and"
            " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )
    if code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
        return f"{subject}: {message} Check MODEL_URI and MLFLOW_TRACKING_URI."
    return f"{subject}: {type(exc).__name__}: {message}{_versions(folder)}"


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__


def _first_line(exc: Exception) -> str:
    """The exception's first line, without what a server answered: that is not for clients."""
    text = without_credentials(str(exc)).strip().partition("Response body")[0].rstrip(" .")
    line = text.splitlines()[0] if text else type(exc).__name__
    return f"{shorten(line, _LONGEST_MESSAGE, placeholder=' ...')}."


def _versions(folder: Path | None) -> str:
    """Which versions the model was logged with, where they are not the ones installed here."""
    if folder is None:
        return ""
    from function.registry import modelfile

    try:
        details = modelfile.read(folder)
    except ModelLoadError:
        return ""
    logged = {"mlflow": details["mlflow_version"], "scikit-learn": details["sklearn_version"]}
    differing = [
        f"{package} {wanted} (here: {_version(package)})"
        for package, wanted in logged.items()
        if wanted and wanted != _version(package)
    ]
    return f" The model was logged with {', '.join(differing)}." if differing else ""


def _version(package: str) -> str:
    for name in (package, f"{package}-skinny"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"
