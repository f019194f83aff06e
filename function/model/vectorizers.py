"""A vectorizer that was kept apart from its classifier, and the two as one pipeline.

It is in a file (skops, joblib, pickle), or in MLflow: a model of its own, or an artifact of a run.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from function.compiler.sklearn_names import describe
from function.errors import ModelLoadError
from function.model.stages import Stages
from function.originals import readers
from function.registry import formats, skopsfile
from function.settings import Settings

_MOST_DETAIL = 200


def read_file(path: Path, settings: Settings, stages: Stages) -> Any:
    """What is in the file.

    A pickle is refused where MODEL_FORMATS or MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids it, and a
    skops file that holds types which are not trusted. Raises ModelLoadError.
    """
    try:
        if _is_skops(path):
            return skopsfile.load(path, settings.trusted_types())
        return _unpickled(path, settings, stages)
    except ModelLoadError:
        raise
    except Exception as exc:  # whatever the file holds
        detail = " ".join(str(exc).split())[:_MOST_DETAIL]
        raise ModelLoadError(
            f"{path} cannot be read as a skops, joblib or pickle file of scikit-learn's"
            f" ({type(exc).__name__}: {detail})."
        ) from exc


def _unpickled(path: Path, settings: Settings, stages: Stages) -> Any:
    told = f"{path} is a pickle or joblib file (skops.io.dump writes one that is none)"
    formats.permit_code(told, settings)
    allowed = os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower()
    if allowed not in ("true", "1"):
        raise ModelLoadError(
            f"{path} is a pickle, and MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids loading one. Set"
            " it to true if you trust the file, or save the vectorizer with skops.io.dump."
        )
    import joblib

    found = joblib.load(path)  # plain pickles too
    stages.ran_code.append(formats.warning(f"{path}, a pickle or joblib file"))
    return found


def _is_skops(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "schema.json" in archive.namelist()


def join(vectorizer: Any, classifier: Any, named: str) -> Any:
    """One pipeline of the two; ``named`` is what the user calls the vectorizer.

    Raises ModelLoadError where they do not belong together.
    """
    if any(_reads_text(part) for part in readers.readers(classifier)):
        raise ModelLoadError(
            f"The model reads texts itself ({describe(classifier)}), and needs no vectorizer: leave"
            " --vectorizer out."
        )
    if not hasattr(vectorizer, "transform") or hasattr(vectorizer, "predict"):
        raise ModelLoadError(
            f"{named} holds a {describe(vectorizer)}, and a fitted vectorizer is wanted, which"
            " turns texts into numbers."
        )
    _expect_columns(vectorizer, classifier, named)
    from sklearn.pipeline import make_pipeline

    return make_pipeline(vectorizer, classifier)


def _reads_text(part: Any) -> bool:
    return readers.is_vectorizer(part) or readers.is_table_reader(part)


def _expect_columns(vectorizer: Any, classifier: Any, named: str) -> None:
    try:
        columns = int(vectorizer.transform(["This product is amazing!"]).shape[1])
    except Exception as exc:  # not fitted, or fitted on something else
        raise ModelLoadError(
            f"{named} holds a {describe(vectorizer)} that turns no text into numbers"
            f" ({type(exc).__name__}). Is it fitted, and on texts?"
        ) from exc
    wanted = getattr(classifier, "n_features_in_", columns)
    if columns != wanted:
        raise ModelLoadError(
            f"{named} gives {columns} numbers per text, and the classifier wants {wanted}: it is"
            " not the vectorizer that the classifier was fitted with."
        )
