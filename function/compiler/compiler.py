"""A fitted scikit-learn text classifier to the compiled predictor, or the reason why not."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from function.compiled.decision import is_multilabel
from function.compiled.forest import Forest
from function.compiled.functions import AS_LIST, Before
from function.compiled.kernels import KernelVectors
from function.compiled.layers import gain_of, has_lengths
from function.compiled.names import OF_TYPE, rename
from function.compiled.predictor import CompiledPredictor
from function.compiled.support import SupportVectors
from function.compiled.vectorizer import Vectorizer, check_numbers
from function.compiler.classifiers.fitted import (
    FittedClassifier,
    each_decision,
    magnifies_rounding,
)
from function.compiler.classifiers.registry import read_model
from function.compiler.eras import restore
from function.compiler.fitted import FittedVectorizer
from function.compiler.forests import pack_forest
from function.compiler.hashing import pack_hashed
from function.compiler.own_numbers import pack_numbers
from function.compiler.packing import MOST_ROUNDING, pack_vectorizer
from function.compiler.sklearn_names import NotCompilable
from function.compiler.verify import Agreement, Original, alone, compare, probe_texts

__all__ = ["NotCompilable", "check", "compile_model", "translate"]


def compile_model(
    model: Any, original: Original, *, labels: Mapping[str, str] | None = None
) -> tuple[CompiledPredictor, Agreement]:
    """Compile `model` and check it against `original` on the probe texts.

    `original` asks the model itself, whatever shape of input it wants, and answers with the same
    label names as the compiled predictor: str(class), renamed by `labels` where it has an entry.
    Raises NotCompilable, whose message is the reason, for parts the compiler does not cover and
    where the two disagree; ModelLoadError for `labels` that do not fit the classes.
    """
    predictor = translate(model, labels=labels)
    return predictor, check(predictor, original)


def check(predictor: CompiledPredictor, original: Original) -> Agreement:
    """Compare the two on the probe texts. Raises NotCompilable where they disagree, and where a
    function of the model's own says another thing the next time, or of a text alone."""
    try:
        texts = probe_texts(predictor)
        agreement = compare(predictor, original, texts)
        steady = compare(predictor, alone(predictor), texts) if predictor.own_functions else None
    except Exception as exc:
        raise NotCompilable(f"the comparison on the probe texts fails: {exc}") from exc
    if agreement.problem is not None:
        raise NotCompilable(f"compiled and original disagree: {agreement.problem}")
    if steady is not None and steady.problem is not None:
        told = ", ".join(predictor.own_functions)
        raise NotCompilable(f"a text's answer depends on others or on the time ({told})")
    return agreement


def translate(
    model: Any, *, labels: Mapping[str, str] | None = None, given: Before = AS_LIST
) -> CompiledPredictor:
    """Compile without the check; `given` is what the model takes. Raises as compile_model.

    `model` itself is mended where it was fitted by a version that meant something else (eras.py).
    """
    restore(model)
    classifier = read_model(model, given)
    vectorizers = classifier.vectorizers
    if not vectorizers:
        raise NotCompilable("the model has no text vectorizer")
    _fill_weights(classifier)
    _settle_binarize(vectorizers, classifier)
    _fold_factors(vectorizers, classifier)
    _refuse_rescaled(vectorizers, classifier)
    _refuse_numbers(vectorizers, classifier)
    classes = _name_classes(classifier.classes)
    try:
        packed = [*_join_weights(vectorizers, classifier)]
        for vectorizer in packed:
            check_numbers(vectorizer, len(classifier.weights))
        return CompiledPredictor(
            labels=rename(classes, labels or {}),
            classes=classes,
            vectorizers=packed,
            intercepts=classifier.intercepts,
            decision=classifier.decision,
            binarize=classifier.binarize,
            support=_spread_support(vectorizers, classifier),
            forest=_spread_forest(vectorizers, classifier),
            class_type=_class_type(classifier),
        )
    except ValueError as exc:  # what a compiled folder would be refused for
        raise NotCompilable(f"the model has {exc}") from exc


def _name_classes(classes: Sequence[Any]) -> tuple[str, ...]:
    """As originals' values.class_name, which takes 1.0 for 1."""
    whole = [
        int(value) if isinstance(value, float) and value.is_integer() else value
        for value in classes
    ]
    for value in whole:
        if not isinstance(value, str | int):  # bool is an int
            raise NotCompilable(
                f"the class {value!r} is a {type(value).__name__}; fit with str or int"
            )
    return tuple(map(str, whole))


def _class_type(classifier: FittedClassifier) -> str | None:
    """What the classes are, where they are no strings: of several labels they are columns."""
    kinds = {type(value).__name__ for value in classifier.classes}
    if is_multilabel(classifier.decision) or len(kinds) > 1 or not kinds <= OF_TYPE.keys():
        return None
    return kinds.pop()


def _fill_weights(classifier: FittedClassifier) -> None:
    """Give each score its weights, unless trees or kernels make all of them."""
    is_other = classifier.forest is not None or classifier.support is not None
    if is_other and not any(classifier.weights):
        classifier.weights = []
        return
    nothing = [0.0] * classifier.columns
    classifier.weights = [row or nothing for row in classifier.weights or [nothing]]


def _settle_binarize(vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier) -> None:
    """BernoulliNB's usual threshold of 0 asks only which terms are there: drop the weighting."""
    if classifier.binarize != 0.0 or not all(map(_is_positive, vectorizers)):
        return
    classifier.binarize = None
    for vectorizer in vectorizers:
        vectorizer.binary, vectorizer.sublinear, vectorizer.norm = True, False, None
        vectorizer.idf, vectorizer.scale, vectorizer.factors = None, 1.0, None


def _is_positive(vectorizer: FittedVectorizer) -> bool:
    has_signs = vectorizer.hashing is not None and vectorizer.hashing.alternate_sign
    if has_signs or vectorizer.numbers is not None:
        return False
    return vectorizer.scale > 0.0 and all(idf > 0.0 for idf in vectorizer.idf or ())


def _fold_factors(vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier) -> None:
    """Multiply the weights of columns that a scaler multiplies."""
    if all(vectorizer.factors is None for vectorizer in vectorizers):
        return
    if _is_more_than_sums(classifier):
        raise NotCompilable(
            "a scaler before what is no sum of weights (BernoulliNB with a threshold, SVC, trees, "
            "NearestCentroid, a Normalizer after TruncatedSVD); LinearSVC and LogisticRegression "
            "are compiled there"
        )
    factors: list[float] = []
    for vectorizer in vectorizers:
        own = vectorizer.factors or [1.0] * vectorizer.columns
        factors += [own[column] for column in vectorizer.kept]
    classifier.weights = [
        [weight * factor for weight, factor in zip(row, factors, strict=True)]
        for row in classifier.weights
    ]


def _refuse_rescaled(vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier) -> None:
    """Where values have steps to pass, or texts tie by rounding, all must be scikit-learn's own."""
    is_rescaled = any(vectorizer.is_rescaled for vectorizer in vectorizers)
    if is_rescaled and (_is_more_than_sums(classifier) or _is_faithful(classifier)):
        raise NotCompilable(
            "TfidfTransformer on values that are weighted already, before what rounding decides "
            "(BernoulliNB with a threshold, SVC, trees, isotonic calibration, NearestCentroid, a "
            "Normalizer after TruncatedSVD); LinearSVC and LogisticRegression are compiled there"
        )


def _refuse_numbers(vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier) -> None:
    """Of large ones the squares of distances keep nothing of the terms but what rounding left; and
    which zeros of a sparse matrix are written is not known here."""
    tells_missing = classifier.forest is not None and classifier.forest.missing
    for vectorizer in vectorizers:
        if vectorizer.numbers is None:
            continue
        name = vectorizer.numbers.name
        if classifier.decision["kind"] == "nearest":
            raise NotCompilable(
                f"{name} makes numbers, before NearestCentroid; before linear classifiers, naive "
                "Bayes, SVC and trees they are compiled"
            )
        if tells_missing and vectorizer.has_zeros:
            raise NotCompilable(
                f"{name} makes a sparse matrix, whose zeros are missing to XGBClassifier or not as "
                "they are written; an array is compiled"
            )


def _layers(classifier: FittedClassifier) -> list[tuple[Any, int]]:
    """Each decision that has layers, and how many scores these are of."""
    found = each_decision(classifier.decision, len(classifier.intercepts))
    return [(decision, scores) for decision, scores in found if decision["kind"] == "layers"]


def _is_more_than_sums(classifier: FittedClassifier) -> bool:
    """Whether a value means more to it than what it is multiplied with: steps, distances, ties."""
    others = (classifier.binarize, classifier.support, classifier.forest)
    has_lengths_of_texts = any(has_lengths(layers) for layers, _ in _layers(classifier))
    is_nearest = classifier.decision["kind"] == "nearest"
    return any(part is not None for part in others) or is_nearest or has_lengths_of_texts


def _join_weights(
    vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier
) -> Iterator[Vectorizer]:
    """Lay each vectorizer's part of the weights beside its terms."""
    start = 0
    most_rounding = -1.0 if _is_faithful(classifier) else MOST_ROUNDING / len(vectorizers)
    most_rounding /= max([1.0, *(gain_of(*layers) for layers in _layers(classifier))])
    in_python = any(vectorizer.own_functions for vectorizer in vectorizers)
    for vectorizer in vectorizers:
        stop = start + len(vectorizer.kept)
        weights = [_spread(vectorizer, row[start:stop]) for row in classifier.weights]
        if vectorizer.numbers is not None:
            yield pack_numbers(vectorizer, weights)
        elif vectorizer.hashing is not None:
            yield pack_hashed(vectorizer, weights, most_rounding, in_python)
        else:
            yield pack_vectorizer(vectorizer, weights, most_rounding, in_python)
        start = stop


def _spread_support(
    vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier
) -> SupportVectors | None:
    """Number the support vectors' columns as the vectorizers do, those not selected included."""
    if classifier.support is None:
        return None
    places, columns = _places(vectorizers)
    parts = dict(classifier.support.parts)
    own = array("I", parts["columns"])
    parts["columns"] = array("I", [places[column] for column in own]).tobytes()
    support = classifier.support
    if isinstance(support, KernelVectors):
        parts["ignored"] = array("I", sorted({*range(columns)} - {*places})).tobytes()
        return KernelVectors(support.counts, parts, support.kernel, columns)
    found = SupportVectors(support.counts, parts)
    found.check(columns)
    return found


def _spread_forest(
    vectorizers: Sequence[FittedVectorizer], classifier: FittedClassifier
) -> Forest | None:
    if classifier.forest is None:
        return None
    fitted = classifier.forest.renumbered(*_places(vectorizers))
    return pack_forest(fitted, alone=not classifier.weights)


def _places(vectorizers: Sequence[FittedVectorizer]) -> tuple[list[int], int]:
    """Return which column each is that reaches the classifier, and how many there are in all."""
    places, start = list[int](), 0
    for vectorizer in vectorizers:
        places += [start + column for column in vectorizer.kept]
        start += vectorizer.columns
    return places, start


def _is_faithful(classifier: FittedClassifier) -> bool:
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    is_sum = classifier.forest is None and bool(classifier.weights)
    return classifier.binarize is not None or is_magnified or not is_sum


def _spread(vectorizer: FittedVectorizer, weights: list[float]) -> list[float]:
    """Give the terms that feature selection dropped a weight of 0.0; the norm needs them."""
    if len(weights) == vectorizer.columns:
        return weights
    full = [0.0] * vectorizer.columns
    for column, weight in zip(vectorizer.kept, weights, strict=True):
        full[column] = weight
    return full
