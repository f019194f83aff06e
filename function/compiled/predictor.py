"""Texts to predictions: the compiled predictor, in the standard library only.

Where the C code is built it adds up as scikit-learn does, to the same bits (answers.py). In Python
there are two ways through the arithmetic. The quick one (quick.py) adds up packed rows, and rounds
far below 1e-9. That matters only where rounding decides: two scores that tie, or a calibrator with
steps. The faithful one (faithful.py) then gets the same bits as scikit-learn, for two to three
times the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import add
from typing import TYPE_CHECKING, Any, cast

from function.compiled.answers import Answers, Machine, Settle, build_answers
from function.compiled.decision import build_decision, is_multilabel
from function.compiled.faithful import Line, add_up, build_features
from function.compiled.names import typed
from function.compiled.quick import Given, Scores, build_scores
from function.compiled.vectorizer import Vectorizer
from function.compiled.vocabularies import NativeVocabulary
from function.errors import NotExplainable
from function.predictor import Answer, Predictor

if TYPE_CHECKING:
    from function.compiled.forest import Forest
    from function.compiled.functions import Function
    from function.compiled.kernels import KernelVectors
    from function.compiled.support import SupportVectors
    from function.explanation import Explanation

MARGIN = 1e-9
"""Scores (or calibrated probabilities) closer than this are settled the faithful way."""

QUICK_BYTES, QUICK_BYTES_NATIVE = 4_096, 16_384
"""What takes a millisecond or so: a server answers that at once, without a thread."""
SHORTEST_TEXT = 8
"""Bytes, its place in a batch included: a millisecond has as many trees or kernels to ask."""
IN_PYTHON = 30
"""How many times as long these take without the C code."""


class CompiledPredictor:
    """A compiled text classifier; see predictor.Predictor. Safe to share between threads."""

    engine = "compiled"

    def __init__(
        self,
        labels: Sequence[str],
        vectorizers: Sequence[Vectorizer],
        intercepts: Sequence[float],
        decision: Mapping[str, Any],
        binarize: float | None = None,
        classes: Sequence[str] | None = None,
        support: SupportVectors | None = None,
        forest: Forest | None = None,
        class_type: str | None = None,
    ) -> None:
        """`binarize` is BernoulliNB's threshold on the vectorizers' values; None leaves them.
        `classes` are what the model itself calls the labels, where that is something else, and
        `class_type` what they are (names.OF_TYPE) where they are no strings.
        `support` are the vectors whose sums the weights are, where rounding decides, or where they
        are no line, what makes the scores. `forest` adds to the scores what its trees come to."""
        self.labels: tuple[str, ...] | None = tuple(labels)
        self.classes, self.class_type = tuple(labels if classes is None else classes), class_type
        self.own_classes = typed(self.classes, class_type)
        self.vectorizers = tuple(vectorizers)
        self.intercepts = tuple(intercepts)
        self.decision = dict(decision)
        self.multilabel = is_multilabel(decision)
        self.binarize = binarize
        self.support, self.forest = support, forest
        self._decide = build_decision(decision, labels, len(self.intercepts))
        self._features = [build_features(part, self.weights, binarize) for part in vectorizers]
        self._given = self._build_given()
        self._answer = (
            build_answers(
                vectorizers, intercepts, decision, labels, binarize, self._settle(), self._machine
            )
            if self.native
            else self._build_answers()
        )
        self.quick_bytes = self._quick_bytes()
        self.original_from_texts: int | None = None
        """Batches of so many texts and more are the original's to answer; None where none are."""

    @property
    def weights(self) -> int:
        """How many weights each term has."""
        return 0 if self._machine and self._machine.alone else len(self.intercepts)

    @property
    def _machine(self) -> Machine | None:
        return self.forest or self.kernels

    @property
    def kernels(self) -> KernelVectors | None:
        """The support vectors, where they are no line."""
        return cast("KernelVectors", self.support) if self.support and self.support.alone else None

    @property
    def terms(self) -> int:
        """How many terms the vocabularies hold together."""
        return sum(vectorizer.columns for vectorizer in self.vectorizers)

    @property
    def terms_met(self) -> tuple[int, int] | None:
        """How many terms the texts have had so far (words, where it is words and pairs of them),
        and how many of these are not known; None where there is only the faithful way."""
        if any(vectorizer.units is None for vectorizer in self.vectorizers):
            return None
        met = [vectorizer.vocabulary.terms_met() for vectorizer in self.vectorizers]
        return sum(pair[0] for pair in met), sum(pair[1] for pair in met)

    @property
    def native(self) -> bool:
        """Whether it answers in C."""
        return all(isinstance(part.vocabulary, NativeVocabulary) for part in self.vectorizers)

    @property
    def own_functions(self) -> list[str]:
        """The model's own functions, each with its place (functions.py): code."""
        own = [(place, function) for place, function in self._functions() if not function.made]
        return [*dict.fromkeys(f"{place}: {function.name}" for place, function in own)]

    @property
    def packages(self) -> list[str]:
        """The packages of others that its functions are of, each as pip takes it."""
        made = [function.made for _, function in self._functions() if function.made]
        return [*dict.fromkeys(f"nltk=={it.version}" for it in made)]

    def _functions(self) -> list[tuple[str, Function]]:
        having = [part.functions for part in self.vectorizers if part.functions is not None]
        return [item for functions in having for item in functions.each()]

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        """Answer each text, in order; the empty and the wholly unknown text included."""
        return self._answer(texts)

    def share_batches(self, original: Predictor, least: int) -> None:
        """Let the original have batches of so many texts and more."""
        own, self.original_from_texts = self._answer, least

        def answers(texts: Sequence[str]) -> list[Answer]:
            return own(texts) if len(texts) < least else [*original.predict(texts)]

        self._answer = answers

    def faithful_scores(self, text: str) -> list[float]:
        """Return the decision function, summed in scikit-learn's order."""
        return self._scores([texts[0] for texts in self._given([text])])

    @cached_property
    def explain(self) -> Callable[..., Explanation]:
        """`explain(text, answer, label=None)` says which terms of the text make its score for the
        label, by default the answer's own: where that is of several labels, the one with the
        highest score. ValueError for a label that the model does not have; NotExplainable where
        nothing of the model's can be explained, and already when it is looked up."""
        from function.compiled.explain import MACHINES, Explainer

        if self._machine is not None:
            raise NotExplainable("compiled", MACHINES)
        parts = [*zip(self.vectorizers, self._features, strict=True)]
        explainer = Explainer(self.labels or (), parts, self.intercepts, self.decision)

        def explain(text: str, answer: Answer, label: str | None = None) -> Explanation:
            given = [texts[0] for texts in self._given([text])]
            return explainer.explain(given, answer, label)

        return explain

    def _decide_faithfully(self, given: Sequence[Any]) -> Answer:
        answer = self._decide(self._scores(given), -1.0)
        assert answer is not None, "a margin below zero always decides"
        return answer

    def _scores(self, given: Sequence[Any]) -> list[float]:
        """The faithful scores of one text, as each vectorizer gets it."""
        lines = self._lines(given)
        if self.support is not None:
            return self.support.scores(self._values(lines), self.intercepts)
        if self.decision["kind"] == "nearest":
            from function.compiled.nearest import faithful_scores

            line = [pair for _, part in lines for pair in part]
            return faithful_scores(line, self.intercepts, len(self.classes))
        scores = [*self.intercepts]
        if self.weights:
            scores = add_up([pair for _, line in lines for pair in line], self.intercepts)
        if self.forest is not None:
            scores = [*map(add, scores, self.forest.scores(self._values(lines)))]
        return scores

    def _lines(self, given: Sequence[Any]) -> list[Line]:
        """One text's line of each vectorizer's matrix."""
        return [features(text) for features, text in zip(self._features, given, strict=True)]

    def _values(self, lines: Sequence[Line]) -> Iterator[tuple[int, float]]:
        """Yield one text's columns, ascending over all vectorizers, and their values."""
        start = 0
        for part, (columns, found) in zip(self.vectorizers, lines, strict=True):
            for column, (value, _) in zip(columns, found, strict=True):
                yield start + column, value
            start += part.width

    def _quick_bytes(self) -> int:
        if self._functions():  # of a time that nobody knows
            return 0
        most = QUICK_BYTES_NATIVE if self.native else QUICK_BYTES
        micros = self._micros() * (1 if self.native else IN_PYTHON)
        return min(most, int(1000 * SHORTEST_TEXT / max(micros, 1.0)))

    def _micros(self) -> float:
        """How long a text takes in C beyond the sums of its terms' weights, roughly."""
        if self.decision["kind"] == "layers":
            from function.compiled.layers import micros_of

            return micros_of(self.decision)
        return 0.0 if self._machine is None else self._machine.micros

    def _settle(self) -> Settle | None:
        """What answers ties where it is not the sum of weights that scikit-learn reckons. It is
        for C, where no model with functions of its own is: each vectorizer gets the text itself."""
        count = len(self.vectorizers)
        if self.support is None and self.decision["kind"] != "nearest":
            return None
        return MARGIN, lambda text: self._decide_faithfully([text] * count)

    def _build_given(self) -> Callable[[Sequence[str]], Given]:
        """What makes of texts those that each vectorizer gets."""
        found = [part.functions for part in self.vectorizers]
        if not any(found):
            return lambda texts: [texts] * len(found)
        from function.compiled.functions import build_given

        return build_given([(part.functions, part.own_numbers) for part in self.vectorizers])

    def _build_answers(self) -> Answers:
        score, decide = self._build_score(), self._decide

        def answers(texts: Sequence[str]) -> list[Answer]:
            found, given = list[Answer](), self._given(texts)
            for position, scores in enumerate(score(given)):
                answer = None if scores is None else decide(scores, MARGIN)
                if answer is None:
                    answer = self._decide_faithfully([part[position] for part in given])
                found.append(answer)
            return found

        return answers

    def _build_score(self) -> Callable[[Given], list[Scores | None]]:
        if (kernels := self.kernels) is not None:
            return lambda given: [
                kernels.quick_scores(self._values(self._lines(texts)), self.intercepts)
                for texts in zip(*given, strict=True)
            ]
        return build_scores(self.vectorizers, self.intercepts)
