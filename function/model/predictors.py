"""The predictors that call the model as it was logged: scikit-learn flavour and pyfunc.

A model takes a DataFrame with one text column (MLflow's convention). A pipeline that starts
with a text vectorizer and was fitted on plain strings does not: given a DataFrame it iterates
over the *column names* and silently answers once for the whole request. So each model is asked
about three texts when it is loaded, and one that does not answer three times is given a 1-D
column of strings instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.errors import ModelLoadError, ModelOutputError
from function.model.outputs import class_name, read_output, with_probabilities
from function.model.predictor import Prediction

PROBES = ("This product is amazing!", "Terrible service", "Just okay")

InputShape = Callable[[Sequence[str], str], Any]


def as_frame(texts: Sequence[str], column: str) -> Any:
    """A pandas DataFrame of one column of strings."""
    import pandas

    return pandas.DataFrame({column: list(texts)})


def as_series(texts: Sequence[str], column: str) -> Any:
    """A pandas Series of strings, for models fitted on plain strings."""
    import pandas

    return pandas.Series(list(texts), name=column)


class SklearnPredictor:
    """A fitted scikit-learn classifier or pipeline, called directly.

    Raises ModelLoadError where the model answers neither input shape.
    """

    engine = "sklearn"

    def __init__(self, model: Any, names: Mapping[str, str], column: str = "text") -> None:
        self.model = model
        self._names = names
        self._column = column
        self._classes = list(getattr(model, "classes_", ())) or None
        self.labels = _shown(self._classes, names)
        self._as_input = _find_input_shape(self)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """As Predictor.predict; two passes where the model has ``predict_proba``."""
        return self._predict(self._as_input(texts, self._column), len(texts))

    def _predict(self, given: Any, count: int) -> list[Prediction]:
        labels = read_output(self.model.predict(given), count, self._classes, self._names)
        if self._classes is None or not hasattr(self.model, "predict_proba"):
            return labels
        probabilities = self.model.predict_proba(given)
        if getattr(probabilities, "shape", None) != (count, len(self._classes)):
            raise ModelOutputError(f"predict_proba gave {type(probabilities).__name__}")
        return with_probabilities(
            [item.label for item in labels], probabilities, self._classes, self._names
        )


class PyfuncPredictor:
    """Any MLflow flavour through ``mlflow.pyfunc``; the model's signature is enforced by MLflow."""

    engine = "pyfunc"

    def __init__(self, model: Any, names: Mapping[str, str], column: str = "text") -> None:
        self.model = model
        self._names = names
        self._column = column
        self._classes = _native_classes(model) or _numbered_classes(names)
        self.labels = _shown(self._classes, names)
        self._as_input = _find_input_shape(self)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """As Predictor.predict."""
        return self._predict(self._as_input(texts, self._column), len(texts))

    def _predict(self, given: Any, count: int) -> list[Prediction]:
        return read_output(self.model.predict(given), count, self._classes, self._names)


def _native_classes(model: Any) -> list[Any] | None:
    """``classes_`` of the model inside a PyFuncModel, or None where its flavour hides it."""
    for unwrap in ("unwrap_python_model", "get_raw_model"):
        try:
            classes = getattr(model, unwrap)().classes_
        except Exception:  # each flavour refuses in its own way
            continue
        return list(classes)
    return None


def _numbered_classes(names: Mapping[str, str]) -> list[Any] | None:
    """0..n-1, where LABELS names exactly these: the columns of a bare array of probabilities."""
    numbers = [str(number) for number in range(len(names))]
    return list(numbers) if numbers and set(numbers) == set(names) else None


def _shown(classes: Sequence[Any] | None, names: Mapping[str, str]) -> tuple[str, ...] | None:
    return tuple(class_name(item, names) for item in classes) if classes else None


def _find_input_shape(predictor: SklearnPredictor | PyfuncPredictor) -> InputShape:
    """The first input shape for which the model gives one prediction per text."""
    failures: list[Exception] = []
    for shape in (as_frame, as_series):
        try:
            predictor._predict(shape(PROBES, predictor._column), len(PROBES))
        except Exception as exc:  # whatever the model raises; the next shape may do
            failures.append(exc)
        else:
            return shape
    if isinstance(failures[0], ModelOutputError):
        raise failures[0]
    raise ModelLoadError(
        f"The model accepts neither a DataFrame with a {predictor._column!r} column nor a column"
        f" of strings ({type(failures[0]).__name__}, {type(failures[1]).__name__})."
    ) from failures[0]
