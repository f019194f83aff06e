"""What stands between a vectorizer and the classifier: each column's value, and which are kept."""

from __future__ import annotations

from typing import Any

from function.compiler.fitted import FittedVectorizer, fitted
from function.compiler.sklearn_names import NotCompilable, describe, public_name

SELECTION = "sklearn.feature_selection."
PREPROCESSING = "sklearn.preprocessing."
SCALERS = {PREPROCESSING + "MaxAbsScaler", PREPROCESSING + "StandardScaler"}
SELECTORS = {
    SELECTION + "GenericUnivariateSelect",
    SELECTION + "SelectFdr",
    SELECTION + "SelectFpr",
    SELECTION + "SelectFromModel",
    SELECTION + "SelectFwe",
    SELECTION + "SelectKBest",
    SELECTION + "SelectPercentile",
    SELECTION + "VarianceThreshold",
}


def apply(found: list[FittedVectorizer], step: Any) -> None:
    """Give the vectorizers in `found` what a fitted step does to their columns."""
    name = public_name(step)
    if name == "sklearn.feature_extraction.text.TfidfTransformer":
        apply_tfidf(found, step)
    elif name in SCALERS:
        _apply_scaling(found, step)
    elif name == PREPROCESSING + "Normalizer":
        _apply_norm(found, step)
    elif name in SELECTORS:
        _apply_selection(found, step.get_support().tolist())
    else:
        raise NotCompilable(
            f"{describe(step)} between the vectorizer and the classifier; TfidfTransformer, "
            "feature selection, MaxAbsScaler, StandardScaler, Normalizer, TruncatedSVD and PCA are "
            "compiled there"
        )


def apply_tfidf(found: list[FittedVectorizer], step: Any) -> None:
    """Give the one vectorizer in `found` the weighting of a fitted TfidfTransformer."""
    if len(found) != 1:
        raise NotCompilable(
            "TfidfTransformer after a FeatureUnion, whose norm spans all its parts; in each "
            "part it is compiled"
        )
    vectorizer = found[0]
    _refuse_numbers(vectorizer, step)
    if vectorizer.scale != 1.0 or vectorizer.factors is not None:
        raise NotCompilable("TfidfTransformer on scaled values; ahead of the scaler it is compiled")
    if len(vectorizer.kept) != vectorizer.columns:
        raise NotCompilable("TfidfTransformer after feature selection; before it, it is compiled")
    idf = getattr(step, "idf_", None)  # as transform: what was fitted counts, not use_idf
    if idf is not None and idf.dtype.name != "float64":
        raise NotCompilable(
            f"TfidfTransformer computes in {idf.dtype.name}; fit with dtype=numpy.float64"
        )
    if vectorizer.is_weighted:
        _weight_again(vectorizer, step, idf)
        return
    if idf is not None:
        vectorizer.idf = idf.tolist()
    vectorizer.sublinear = bool(step.sublinear_tf)
    if vectorizer.sublinear and vectorizer.hashing and vectorizer.hashing.alternate_sign:
        raise NotCompilable(
            "TfidfTransformer(sublinear_tf=True) on counts that may be negative; "
            "HashingVectorizer(alternate_sign=False) has none"
        )
    vectorizer.norm = step.norm
    vectorizer.is_weighted = True


def _weight_again(vectorizer: FittedVectorizer, step: Any, idf: Any) -> None:
    """TfidfTransformer on the values of a TfidfVectorizer, or of a HashingVectorizer as it is: a
    norm before the one that counts changes nothing but rounding."""
    if step.sublinear_tf or step.norm is None:
        option = "sublinear_tf=True" if step.sublinear_tf else "norm=None"
        raise NotCompilable(
            f"TfidfTransformer({option}) on values that are not plain counts; after a "
            "CountVectorizer, or a HashingVectorizer(norm=None), it is compiled"
        )
    vectorizer.is_rescaled = True
    vectorizer.norm = step.norm
    if idf is not None:
        own = vectorizer.idf or [1.0] * vectorizer.columns
        vectorizer.idf = [one * more for one, more in zip(own, idf.tolist(), strict=True)]


def _apply_norm(found: list[FittedVectorizer], step: Any) -> None:
    """Normalizer on values that are not normed yet: TfidfVectorizer's own norm."""
    if len(found) != 1:
        raise NotCompilable(
            "Normalizer after a FeatureUnion, whose norm spans all its parts; in each part it "
            "is compiled"
        )
    (vectorizer,) = found
    _refuse_numbers(vectorizer, step)
    if vectorizer.norm is not None:
        raise NotCompilable(f"Normalizer on values of norm={vectorizer.norm!r}; one is enough")
    if len(vectorizer.kept) != vectorizer.columns:
        raise NotCompilable("Normalizer after feature selection; before it, it is compiled")
    if vectorizer.scale != 1.0 or vectorizer.factors is not None:
        raise NotCompilable("Normalizer on scaled values; a scaler after it is compiled")
    if step.norm not in ("l1", "l2"):
        raise NotCompilable(f"Normalizer(norm={step.norm!r}); 'l1' and 'l2' are compiled")
    vectorizer.norm, vectorizer.is_weighted = step.norm, True


def _refuse_numbers(vectorizer: FittedVectorizer, step: Any) -> None:
    if vectorizer.numbers is not None:
        raise NotCompilable(
            f"{describe(step)} on what {vectorizer.numbers.name} makes, behind a FeatureUnion; "
            "right behind the function it is compiled"
        )


def _apply_scaling(found: list[FittedVectorizer], step: Any) -> None:
    """MaxAbsScaler, and StandardScaler without means: a factor for each column. One with means is
    folded into the classifier, unless it is inside a FeatureUnion."""
    for option in ("clip", "with_mean"):
        if getattr(step, option, False):
            raise NotCompilable(f"{describe(step)}({option}=True); {option}=False is compiled")
    if fitted(step, "scale_") is None:
        return
    factors = iter((1.0 / step.scale_).tolist())
    for vectorizer in found:
        own = vectorizer.factors or [1.0] * vectorizer.columns
        for column in vectorizer.kept:
            own[column] *= next(factors)
        vectorizer.factors, vectorizer.is_weighted = own, True


def _apply_selection(found: list[FittedVectorizer], mask: list[bool]) -> None:
    if len(mask) != sum(len(vectorizer.kept) for vectorizer in found):
        raise NotCompilable("feature selection fitted on another number of columns")
    chosen = iter(mask)
    for vectorizer in found:
        vectorizer.kept = [column for column in vectorizer.kept if next(chosen)]
