"""The shapes in which texts can be put to a model, and which of them it reads as texts.

A model cannot say what it was fitted on, and the wrong shape need not fail. A vectorizer that is
given a DataFrame iterates over the *column names*; a meta-estimator around it then spreads that
one answer over as many rows as were asked about. So a shape is judged by its answers to several
texts and to one alone, and one whose answers are all the same only stands where no other shape
gives different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from function.predictor import Answer

PROBES = ("This product is amazing!", "Terrible service", "Just okay")

Shape = Callable[[Sequence[str], str], Any]
"""Texts and a column's name -> what the model is given."""
Ask = Callable[[Any, int], Sequence[Answer]]
"""What the model is given and the number of texts in it -> as many answers, or an exception."""


def as_list(texts: Sequence[str], column: str) -> Any:
    """The strings as they are."""
    return list(texts)


def as_array(texts: Sequence[str], column: str) -> Any:
    """A numpy array of strings, of one dimension."""
    import numpy

    return numpy.array(list(texts), dtype=object)


def as_matrix(texts: Sequence[str], column: str) -> Any:
    """A numpy array of strings, one row per text and one column."""
    return as_array(texts, column).reshape(-1, 1)


def as_series(texts: Sequence[str], column: str) -> Any:
    """A pandas Series of strings."""
    import pandas

    return pandas.Series(list(texts), name=column)


def as_frame(texts: Sequence[str], column: str) -> Any:
    """A pandas DataFrame of one column of strings, as MLflow sends it."""
    import pandas

    return pandas.DataFrame({column: list(texts)})


def as_records(texts: Sequence[str], column: str) -> Any:
    """A dict per text."""
    return [{column: text} for text in texts]


STRINGS: tuple[Shape, ...] = (as_list, as_array, as_series)
FRAME_FIRST: tuple[Shape, ...] = (as_frame, as_series, as_list, as_array, as_matrix)
STRINGS_FIRST: tuple[Shape, ...] = (as_list, as_array, as_series, as_frame, as_matrix)
MATRIX_FIRST: tuple[Shape, ...] = (as_matrix, as_frame, as_list, as_array, as_series)


class Input(NamedTuple):
    """How texts are put to a model.

    ``alone_twice``: one text is asked about twice over, for a model that reads several texts but
    not one (``FunctionTransformer(np.squeeze)``).
    """

    shape: Shape
    column: str
    alone_twice: bool = False

    def ask(self, texts: Sequence[str], ask: Ask) -> Sequence[Answer]:
        """The model's answers, one per text."""
        if self.alone_twice and len(texts) == 1:
            return ask(self.shape([*texts, *texts], self.column), 2)[:1]
        return ask(self.shape(texts, self.column), len(texts))


class NoShapeFits(Exception):
    """The model answers in none of the shapes; ``failures`` has what each of them came to."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__(", ".join(type(failure).__name__ for failure in failures))
        self.failures = failures


def find_input(shapes: Sequence[Shape], column: str, probes: Sequence[str], ask: Ask) -> Input:
    """The first shape whose answers tell the probes apart, else the first that gets answers.

    Raises NoShapeFits.
    """
    failures: list[Exception] = []
    fitting: list[tuple[tuple[bool, bool], Input]] = []
    for shape in shapes:
        try:
            answers = ask(shape(probes, column), len(probes))
        except Exception as exc:  # whatever the model raises; the next shape may do
            failures.append(exc)
            continue
        tells_apart, takes_one = len(set(answers)) > 1, _takes_one(shape, column, probes[0], ask)
        fitting.append(((tells_apart, takes_one), Input(shape, column, not takes_one)))
        if tells_apart and takes_one:
            break
    if not fitting:
        raise NoShapeFits(failures)
    return max(fitting, key=lambda found: found[0])[1]  # the first of equals


def _takes_one(shape: Shape, column: str, text: str, ask: Ask) -> bool:
    try:
        ask(shape([text], column), 1)
    except Exception:  # as above
        return False
    return True
