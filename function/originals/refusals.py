"""Why a scikit-learn model cannot answer about a text, and what to do, in words for its owner.

The commonest mistake of all is a classifier that was logged without its vectorizer.
"""

from __future__ import annotations

from typing import Any

from function.compiler.sklearn_names import describe
from function.errors import ModelLoadError, ModelOutputError
from function.originals import readers
from function.originals.estimator import taken_apart
from function.originals.shapes import NoShapeFits

WAY_OUT = (
    "python -m function.compile CLASSIFIER_URI --vectorizer FILE --output DIR makes one compiled"
    " model of the two, for COMPILED_MODEL"
)
NO_CLASSIFIERS = {"regressor": "a number", "clusterer": "a cluster", "outlier_detector": "outliers"}


def refuse_what_labels_nothing(model: Any) -> None:
    """Raises ModelLoadError for a vectorizer alone, a regressor, a clustering."""
    last = taken_apart(model)[1]
    if not hasattr(last, "predict"):
        raise ModelLoadError(_no_classifier(last))
    kind = _kind(last)
    if kind in NO_CLASSIFIERS:
        raise ModelLoadError(
            f"The model ends in a {describe(last)}, a {kind.replace('_', ' ')}: it predicts"
            f" {NO_CLASSIFIERS[kind]} for each text, and no label. This service serves classifiers."
        )


def _no_classifier(last: Any) -> str:
    if not hasattr(last, "transform"):
        return f"The model is a {describe(last)}, which predicts nothing. Log a fitted classifier."
    return (
        f"The model ends in a {describe(last)}, which turns a text into numbers and gives it no"
        " label: it was logged without its classifier. Log the two together, as"
        f" make_pipeline(vectorizer, classifier); or, where they were logged apart, {WAY_OUT}."
    )


def _kind(model: Any) -> str:
    """scikit-learn's own word for what an estimator is; empty where it has none."""
    if "estimator_type" in dir(type(model)) or hasattr(model, "_estimator_type"):
        return str(getattr(model, "_estimator_type", ""))
    try:
        return str(model.__sklearn_tags__().estimator_type or "")
    except Exception:  # not scikit-learn's, or of a version without tags
        return ""


def wants_table(model: Any) -> bool:
    """Whether named columns are what it reads."""
    return any(readers.is_table_reader(reader) for reader in readers.readers(model))


def of_sklearn(model: Any, column: str, tried: NoShapeFits) -> Exception:
    """What to say of a model that answers in no shape."""
    for failure in tried.failures:
        if isinstance(failure, ModelLoadError):
            return failure
    wanted = _numbers_wanted(model)
    if wanted is not None:
        reader, numbers = wanted
        return ModelLoadError(
            f"The model wants {numbers} numbers per text ({describe(reader)}), and got the text"
            " itself: it was logged without its vectorizer. Log the two together, as"
            f" make_pipeline(vectorizer, classifier); or, where they were logged apart, {WAY_OUT}."
        )
    return of_any(column, tried)


def of_any(column: str, tried: NoShapeFits) -> Exception:
    """The same of any model: what it answered, where it did, else that it took nothing."""
    for failure in tried.failures:
        if isinstance(failure, ModelOutputError):
            return failure
    return ModelLoadError(
        f"The model accepts neither a DataFrame with a {column!r} column nor strings ({tried});"
        " the log has the cause. If its column has another name, log the model with a signature."
    )


def _numbers_wanted(model: Any) -> tuple[Any, int] | None:
    """The part that reads numbers and how many; None where texts are what is read first."""
    found = readers.readers(model)
    if any(readers.is_vectorizer(part) or readers.is_table_reader(part) for part in found):
        return None
    for part in found:
        numbers = getattr(part, "n_features_in_", None)
        if numbers is not None and not hasattr(part, "func"):
            return part, int(numbers)
    return None


def refuse_readers_of_files(model: Any) -> None:
    """Raise ModelLoadError where a vectorizer takes texts for names of files, as scikit-learn's do
    that were made with ``input="filename"``: a client would read what the service can."""
    from function.compiler.parts import parts_of

    for part in parts_of(model):
        if getattr(part, "input", "content") != "content":
            raise ModelLoadError(
                f"{type(part).__name__} was made with input={str(part.input)[:20]!r}: it takes the"
                ' text of a request for the name of a file. Log a model with input="content".'
            )
