"""What a MODEL_URI names: mlflow's forms, as mlflow reads them or as they are meant.

Followed: https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/store/artifact/utils/models.py
(a name ends at the last @, a suffix of digits is a version) and ``split_models_uri`` beside it (a
model may be in a folder below its version's). Slashes too many, which mlflow refuses in one place
and ignores in another, are ignored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from function.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_STAGES = ("none", "staging", "production", "archived", "latest")
FORMS = (
    "models:/<name>/<version, stage or latest>, models:/<name>@<alias>, models:/m-<id>,"
    " runs:/<run>/<path>, or a folder"
)


class ModelName(NamedTuple):
    """``models:/``: a registered model's name, with one of the others; or a logged model's id.

    ``path`` is the model's folder below what the registry names. ``profile`` is the Databricks
    workspace that the URI itself names, as ``profile@databricks``.
    """

    name: str
    which: str = ""
    alias: str = ""
    path: str = ""
    profile: str = ""

    def of_version(self, version: str) -> str:
        """The URI of one version of this model."""
        authority = f"//{self.profile}" if self.profile else ""
        return "/".join(filter(None, (f"models:{authority}", self.name, version, self.path)))


class RunPath(NamedTuple):
    """``runs:/``: a folder of a run's artifacts; ``uri`` is it as mlflow reads it."""

    run_id: str
    uri: str


def scheme(uri: str) -> str:
    """The scheme in lower case; empty for a path."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def model_name(uri: str) -> ModelName:
    """What a ``models:/`` URI names; ModelLoadError where that is no model, with the way out."""
    profile, parts = _split(uri)
    if not parts:
        raise _refusal(uri, "it names no model")
    first, *rest = parts
    name, at, alias = first.rpartition("@")
    if at and not (len(rest) == 1 and _is_version(rest[0])):
        if not name or not alias:
            raise _refusal(uri, "a name and an alias belong on either side of the @")
        return ModelName(name, alias=alias, path="/".join(rest), profile=profile)
    if len(rest) > 1 and not _is_version(rest[0]):
        raise _refusal(uri, "a registered model's name has no slash in it")
    if not rest and not first.startswith("m-"):
        raise ModelLoadError(
            f"MODEL_URI={uri} names no version. Add one (/3, /latest), a stage (/Production)"
            " or an alias (@champion)."
        )
    return ModelName(first, which="".join(rest[:1]), path="/".join(rest[1:]), profile=profile)


def moves(uri: str) -> bool:
    """Whether it may name another version tomorrow: an alias, a stage or ``latest``."""
    if scheme(uri) != "models":
        return False
    try:
        named = model_name(uri)
    except ModelLoadError:
        return False
    return bool(named.alias or named.which) and not named.which.isdigit()


def run_path(uri: str) -> RunPath:
    """What a ``runs:/`` URI names; ModelLoadError where that is no folder of a run."""
    profile, parts = _split(uri)
    if len(parts) < 2:
        raise _refusal(uri, "it names no model of a run; add its path, as in runs:/<run>/model")
    authority = f"//{profile}" if profile else ""
    return RunPath(parts[0], "/".join((f"runs:{authority}", *parts)))


def local_path(uri: str) -> Path | None:
    """The folder on this machine that a path or a ``file:`` URI names; None for any other URI.

    A path is taken as it is, before mlflow's way, which decodes %20 in paths too.
    """
    kind = scheme(uri)
    if kind not in ("", "file"):
        return None
    from urllib.parse import unquote, urlsplit
    from urllib.request import url2pathname

    if not kind:
        return _first_there(uri, url2pathname(uri))
    parts = urlsplit(uri)
    path = url2pathname(parts.path)
    return _first_there(path, unquote(parts.netloc) + path)


def last_name(uri: str) -> str:
    """What a folder or an artifact URI is called: its last part, without query and slashes."""
    from urllib.parse import urlsplit

    folder = local_path(uri)
    return folder.name if folder else urlsplit(uri).path.rstrip("/").rpartition("/")[2]


def _split(uri: str) -> tuple[str, list[str]]:
    """The Databricks profile, where the URI names one, and the parts between the slashes."""
    rest = uri.partition(":")[2]
    authority = re.match(r"//([^/]*@)?databricks(?=/)", rest)
    if authority is None:
        return "", [part for part in rest.split("/") if part]
    return authority[0][2:], [part for part in rest[authority.end() :].split("/") if part]


def _is_version(suffix: str) -> bool:
    return suffix.isdigit() or suffix.lower() in _STAGES


def _first_there(*paths: str) -> Path:
    from pathlib import Path

    return next((Path(path) for path in paths if Path(path).is_dir()), Path(paths[0]))


def _refusal(uri: str, problem: str) -> ModelLoadError:
    return ModelLoadError(f"MODEL_URI={uri} cannot be read: {problem}. The forms are {FORMS}.")
