"""What went wrong in mlflow, in one sentence an operator can act on.

Waiting clients are told that sentence too, so it is ours from start to end: what a library or a
server said goes into the error's cause, which only the operator sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from function.errors import ModelLoadError, RegistryAway, VersionGone, chain
from function.registry.access import NOTHING_MEANT

if TYPE_CHECKING:
    from pathlib import Path

UNREACHABLE = (
    "The MLflow server cannot be reached. Check MLFLOW_TRACKING_URI and that the server is up;"
    " the load is tried again."
)
_REFUSED = (
    "The MLflow server refused the credentials. Set MLFLOW_TRACKING_USERNAME and"
    " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
)
_NO_STORE = (
    "MLFLOW_TRACKING_URI is no kind of store that MLflow knows. Give sqlite:///FILE,"
    " http(s)://HOST:PORT, or an mlruns folder."
)
_BEING_SET_UP = (
    "The MLflow database is being set up by another process at this moment; the load is tried"
    " again."
)
_PICKLES = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
# What sqlite says while another process runs mlflow's migrations on a new file.
_HALF_THERE = ("database is locked", "duplicate column name", "already exists", "no such table")

_LONGEST_MESSAGE = 300


@contextmanager
def explained(subject: str, folder: Path | None = None) -> Iterator[None]:
    """Whatever the block raises leaves as ModelLoadError, in the words of ``explain``.

    SystemExit and GeneratorExit too: a model's own code runs as it is deserialized.
    """
    try:
        yield
    except ModelLoadError:
        raise
    except (Exception, SystemExit, GeneratorExit) as exc:
        told = explain(exc, subject, folder)
        kind = RegistryAway if told == UNREACHABLE else ModelLoadError
        if getattr(exc, "error_code", "") in NOTHING_MEANT:
            kind = VersionGone
        raise kind(told, _first_line(exc)) from exc


def explain(exc: BaseException, subject: str, folder: Path | None = None) -> str:
    """The detail for a failure while working on ``subject``; ``folder`` is the model's own."""
    links = list(chain(exc))
    names = {type(link).__name__ for link in links}
    for link in links:
        if isinstance(link, ImportError) and link.name:
            package = link.name.partition(".")[0]
            return (
                f"{subject}: the Python package {package!r} is missing or does not fit. Install"
                " it beside the service (the model's own requirements.txt names its version)."
                + _versions(folder)
            )
    if names & {"ConnectionError", "ConnectTimeout"}:
        return UNREACHABLE
    if _PICKLES in str(exc):
        return f"{subject}: {_forbidden(exc, folder)}"
    return _by_store(exc, names) or _by_code(exc, subject, folder)


def _by_store(exc: BaseException, names: set[str]) -> str | None:
    """What is wrong with the store itself, whatever was asked of it; None where nothing is."""
    message = str(exc)
    if "database schema" in message:
        return (
            "The MLflow database was written by another MLflow version than"
            f" {_version('mlflow')}. Upgrade it with 'mlflow db upgrade', or install its version."
        )
    if "OperationalError" in names and any(sign in message for sign in _HALF_THERE):
        return _BEING_SET_UP
    if any(name.startswith("Unsupported") and name.endswith("URIException") for name in names):
        return _NO_STORE
    return None


def _by_code(exc: BaseException, subject: str, folder: Path | None) -> str:
    """By the code that mlflow's exceptions carry."""
    code = getattr(exc, "error_code", "")
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return _REFUSED
    if code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
        return f"{subject} is not there. Check MODEL_URI and MLFLOW_TRACKING_URI."
    if code == "INVALID_PARAMETER_VALUE":
        return f"{subject} is nothing MLflow can find. Check MODEL_URI and MLFLOW_TRACKING_URI."
    name = type(exc).__name__
    return f"{subject} cannot be loaded ({name}).{_versions(folder)}"


def _forbidden(exc: BaseException, folder: Path | None) -> str:
    """What MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids, which is more than its name says."""
    if isinstance(exc, ValueError):
        return f"{_PICKLES} is neither true nor false."
    kind = _serialization(folder)
    return (
        f"{_PICKLES}=false forbids loading this model{f', a {kind} file' if kind else ''}. MLflow"
        " refuses pickles so, and skops files too, which name the types to trust themselves. Set"
        " it to true if you trust the registry; or compile the model where loading it is allowed"
        " (python -m function.compile) and serve the folder, which holds data only, with"
        " COMPILED_MODEL."
    )


def _serialization(folder: Path | None) -> str | None:
    """The format that the model's MLmodel file names."""
    from function.registry import modelfile

    try:
        flavours: dict[str, Any] = modelfile.facts(folder)["flavors"] if folder else {}
    except (ModelLoadError, KeyError):
        return None
    found = flavours.get("sklearn", {}).get("serialization_format")
    return str(found) if found else None


def _first_line(exc: BaseException) -> str:
    """The exception's first line."""
    from textwrap import shorten

    text = str(exc).strip()
    line = text.splitlines()[0] if text else type(exc).__name__
    return shorten(line, _LONGEST_MESSAGE, placeholder=" ...")


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
    from importlib.metadata import PackageNotFoundError, version

    for name in (package, f"{package}-skinny"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"
