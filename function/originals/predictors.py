"""The predictors that call the model as it was logged: scikit-learn flavour and pyfunc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.compiled.functions import Before
from function.errors import ModelLoadError
from function.originals import readers, refusals, signatures
from function.originals.estimator import Estimator
from function.originals.multilabel import SeveralLabels
from function.originals.onelabel import OneLabel
from function.originals.reading import Reading
from function.originals.rules import NEARLY
from function.originals.shapes import (
    FRAME_FIRST,
    PROBES,
    Input,
    NoShapeFits,
    as_frame,
    as_records,
    find_input,
)
from function.originals.values import plain
from function.predictor import Answer, said

TEXT_COLUMN = "text"


class SklearnPredictor:
    """A fitted scikit-learn classifier or pipeline, asked in the shape it was fitted on.

    ``names`` is the LABELS setting, ``column`` the text column's name in the model's signature.
    Raises ModelLoadError where it is no classifier of texts, with what it is instead, and
    ModelOutputError where its answers cannot be read.
    """

    engine = "sklearn"
    quick_bytes = 0

    def __init__(self, model: Any, names: Mapping[str, str], column: str | None = None) -> None:
        refusals.refuse_what_labels_nothing(model)
        self._estimator = Estimator(model)
        self._names = names
        self._decide: OneLabel | SeveralLabels | None = None
        probes = [*PROBES, *readers.own_texts(model)]
        self._input = self._find_input(model, column, probes)
        decide = self._decide
        assert decide is not None
        self._settle_shortcut(decide, probes)
        self.labels: tuple[str, ...] | None = decide.labels
        self.own_classes = None if decide.multilabel else self._estimator.classes
        self.multilabel = decide.multilabel

    @property
    def given(self) -> Before:
        """What the model's first step is given, and the first one within a ColumnTransformer."""
        shape, column = self._input.shape, self._input.column
        return Before(
            lambda texts: shape(texts, column), lambda texts: as_frame(texts, column)[column]
        )

    def predict(self, texts: Sequence[str]) -> Sequence[Answer]:
        """As Predictor.predict."""
        return self._input.ask(texts, self._answer)

    def _answer(self, given: Any, count: int) -> Sequence[Answer]:
        features = self._estimator.features(given)
        if self._decide is None:
            self._decide = self._first_decision(features)
        return self._decide(features, count)

    def _first_decision(self, features: Any) -> OneLabel | SeveralLabels:
        """By the labels of the first texts that the model answers: one each, or a row of them."""
        labels = self._estimator.labels(features)
        if isinstance(labels, list) and labels and isinstance(labels[0], list):
            return SeveralLabels(self._estimator, self._names, len(labels[0]))
        self._estimator.settle_probabilities(features)
        return OneLabel(self._estimator, self._names)

    def _find_input(self, model: Any, signed: str | None, probes: list[str]) -> Input:
        names = readers.names_of(model)
        if names is not None and len(names) > 1 and refusals.wants_table(model):
            raise ModelLoadError(signatures.several_columns(names))
        column = names[0] if names is not None and len(names) == 1 else signed or TEXT_COLUMN
        shapes = readers.shapes_for(model, signed is not None)
        try:
            return find_input(shapes, column, probes, self._answer)
        except NoShapeFits as exc:
            raise refusals.of_sklearn(model, column, exc) from exc.failures[0]

    def _settle_shortcut(self, decide: OneLabel | SeveralLabels, probes: list[str]) -> None:
        """Take the shortcut from probabilities to labels only where it says what the model does."""
        if decide.takes_shortcut:
            short = self.predict(probes)
            decide.takes_shortcut = False
            decide.takes_shortcut = _agree(short, self.predict(probes))


def _agree(some: Sequence[Answer], others: Sequence[Answer]) -> bool:
    pairs = list(zip(some, others, strict=True))
    return all(said(one) == said(other) for one, other in pairs) and all(
        abs(share - expected) <= NEARLY
        for one, other in pairs
        for share, expected in zip(one.scores or (), other.scores or (), strict=True)
    )


class PyfuncPredictor:
    """Any MLflow flavour through ``mlflow.pyfunc``; MLflow enforces the model's signature.

    ``inputs`` is the signature's; the rest as SklearnPredictor.
    """

    engine = "pyfunc"
    quick_bytes = 0

    def __init__(
        self,
        model: Any,
        names: Mapping[str, str],
        inputs: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.model = model
        self._reading = Reading(names, _native_classes(model) or _numbered_classes(names))
        signatures.refuse_other_inputs(inputs)
        self._input = self._find_input(signatures.text_column(inputs) or TEXT_COLUMN)
        self.labels = self._reading.labels
        self.multilabel = self._reading.multilabel

    def predict(self, texts: Sequence[str]) -> Sequence[Answer]:
        """As Predictor.predict."""
        return self._input.ask(texts, self._answer)

    def _answer(self, given: Any, count: int) -> Sequence[Answer]:
        return self._reading(self.model.predict(given), count)

    def _find_input(self, column: str) -> Input:
        try:
            return find_input((*FRAME_FIRST, as_records), column, PROBES, self._answer)
        except NoShapeFits as exc:
            raise refusals.of_any(column, exc) from exc.failures[0]


def _native_classes(model: Any) -> list[Any] | None:
    """``classes_`` of the model inside a PyFuncModel, or None where its flavour hides it."""
    for unwrap in ("unwrap_python_model", "get_raw_model"):
        try:
            return list(plain(getattr(model, unwrap)().classes_))
        except Exception:  # each flavour refuses in its own way
            continue
    return None


def _numbered_classes(names: Mapping[str, str]) -> list[Any] | None:
    """0..n-1, where LABELS names exactly these: the columns of a bare array of probabilities."""
    numbers = [str(number) for number in range(len(names))]
    return list(numbers) if numbers and set(numbers) == set(names) else None
