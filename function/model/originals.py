"""The predictors that call the model as it was logged: scikit-learn flavour and pyfunc.

A model takes a DataFrame with one text column (MLflow's convention). A pipeline that starts
with a text vectorizer and was fitted on plain strings does not: given a DataFrame it iterates
over the *column names* and silently answers once for the whole request. So each model is asked
about three texts when it is loaded, and one that does not answer three times is given the
strings themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.errors import ModelLoadError, ModelOutputError
from function.model.outputs import class_name, read_output, with_probabilities
from function.predictor import Prediction

PROBES = ("This product is amazing!", "Terrible service", "Just okay")

InputShape = Callable[[Sequence[str], str], Any]


def as_frame(texts: Sequence[str], column: str) -> Any:
    """A pandas DataFrame of one column of strings."""
    import pandas

    return pandas.DataFrame({column: list(texts)})


def as_series(texts: Sequence[str], column: str) -> Any:
    """A pandas Series of strings."""
    import pandas

    return pandas.Series(list(texts), name=column)


def as_list(texts: Sequence[str], column: str) -> Any:
    """The strings as they are."""
    return list(texts)


class OriginalPredictor:
    """Asks a model in the first input shape that gives one prediction per text.

    ``names`` is the LABELS mapping. Raises ModelLoadError where the model accepts no shape, and
    ModelOutputError where it answers, but in no shape that can be read.
    """

    engine = "original"
    multilabel = False

    def __init__(
        self, model: Any, names: Mapping[str, str], column: str, classes: list[Any] | None
    ) -> None:
        self.model = model
        self._names = names
        self._column = column
        self._classes = classes
        self.labels = _shown(classes, names)
        self._as_input = self._find_input_shape()

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """As Predictor.predict."""
        return self._answer(self._as_input(texts, self._column), len(texts))

    def _answer(self, given: Any, count: int) -> list[Prediction]:
        return read_output(self.model.predict(given), count, self._classes, self._names)

    def _find_input_shape(self) -> InputShape:
        failures: list[Exception] = []
        for shape in (as_frame, as_series, as_list):
            try:
                self._answer(shape(PROBES, self._column), len(PROBES))
            except Exception as exc:  # whatever the model raises; the next shape may do
                failures.append(exc)
            else:
                return shape
        if isinstance(failures[0], ModelOutputError):
            raise failures[0]
        kinds = ", ".join(type(failure).__name__ for failure in failures)
        raise ModelLoadError(
            f"The model accepts neither a DataFrame with a {self._column!r} column nor strings"
            f" ({kinds}); the log has the cause."
        ) from failures[0]


class SklearnPredictor(OriginalPredictor):
    """A fitted scikit-learn classifier or pipeline; two passes where it has probabilities."""

    engine = "sklearn"

    def __init__(self, model: Any, names: Mapping[str, str], column: str = "text") -> None:
        classes = getattr(model, "classes_", None)
        super().__init__(model, names, column, None if classes is None else _plain(classes))

    def _answer(self, given: Any, count: int) -> list[Prediction]:
        if self._classes is None or not hasattr(self.model, "predict_proba"):
            return super()._answer(given, count)
        return with_probabilities(
            self.model.predict(given),
            self.model.predict_proba(given),
            count,
            self._classes,
            self._names,
        )


class PyfuncPredictor(OriginalPredictor):
    """Any MLflow flavour through ``mlflow.pyfunc``; MLflow enforces the model's signature."""

    engine = "pyfunc"

    def __init__(self, model: Any, names: Mapping[str, str], column: str = "text") -> None:
        classes = _native_classes(model) or _numbered_classes(names)
        super().__init__(model, names, column, classes)


def _native_classes(model: Any) -> list[Any] | None:
    """``classes_`` of the model inside a PyFuncModel, or None where its flavour hides it."""
    for unwrap in ("unwrap_python_model", "get_raw_model"):
        try:
            return _plain(getattr(model, unwrap)().classes_)
        except Exception:  # each flavour refuses in its own way
            continue
    return None


def _numbered_classes(names: Mapping[str, str]) -> list[Any] | None:
    """0..n-1, where LABELS names exactly these: the columns of a bare array of probabilities."""
    numbers = [str(number) for number in range(len(names))]
    return list(numbers) if numbers and set(numbers) == set(names) else None


def _plain(classes: Any) -> list[Any]:
    return list(classes.tolist() if hasattr(classes, "tolist") else classes)


def _shown(classes: Sequence[Any] | None, names: Mapping[str, str]) -> tuple[str, ...] | None:
    if classes is None:
        return None
    shown = tuple(class_name(item, names) for item in classes)
    if len(set(shown)) < len(shown):
        raise ModelLoadError(f"LABELS gives two of the model's classes one name: {shown}.")
    return shown
