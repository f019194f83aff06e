"""Every supported combination answers as scikit-learn does; everything else is refused."""

import functools
import platform
import random
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import (
    SelectFromModel,
    SelectPercentile,
    VarianceThreshold,
    chi2,
)
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.svm import LinearSVC

from function.compiled.artifact import load
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, compile_model, translate
from function.compiler.verify import compare, probe_texts
from function.errors import ModelLoadError
from function.model.sources import answers_of
from function.originals.predictors import SklearnPredictor
from tests.fitted_models import (
    LABELS,
    TEXTS,
    TYPICAL,
    as_input,
    fitted_pipeline,
    frozen_calibration,
    original,
    texts_for,
)
from tests.kinds import OwnVectorizer

pytestmark = pytest.mark.usefixtures("way")
SEED = 1
SCORED = [c for c in TYPICAL if not c.classifier.startswith("calibrated")]


def assert_same(predictor, model, texts):
    found = compare(predictor, original(model), texts)
    assert found.problem is None, found


@pytest.fixture(scope="module")
def answered(fitted):
    """Texts and scikit-learn's answers to them, by combination: asked once for both ways."""
    texts = texts_for(SEED, 100)
    return functools.cache(lambda combination: (texts, original(fitted(combination))(texts)))


@pytest.mark.parametrize("combination", TYPICAL, ids=str)
def test_compiled_answers_are_scikit_learns(fitted, answered, combination):
    model = fitted(combination)
    predictor, agreement = compile_model(model, original(model))
    assert agreement.texts == len(probe_texts(predictor))
    texts, answers = answered(combination)
    found = compare(predictor, lambda _: answers, texts)
    assert found.problem is None, found


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="scipy may fuse multiply and add here"
)
@pytest.mark.parametrize("combination", SCORED, ids=str)
def test_the_faithful_scores_are_scikit_learns_bit_by_bit(fitted, combination):
    model = fitted(combination)
    classifier = model[-1]
    texts = texts_for(SEED, 60)
    data = model[:-1].transform(as_input(model, texts))
    ask = getattr(classifier, "predict_joint_log_proba", None) or classifier.decision_function
    expected = np.reshape(ask(data), (len(texts), -1)).tolist()
    predictor = translate(model)
    assert [predictor.faithful_scores(text) for text in texts] == expected


@pytest.fixture(scope="module")
def hypothesis_models(fitted, way):
    chosen = [c for c in TYPICAL if c.classifier == "logistic" and c.classes == 3]
    return [(translate(fitted(c)), fitted(c)) for c in chosen]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.text(), min_size=1, max_size=20))
def test_any_unicode_is_answered_as_scikit_learn_does(hypothesis_models, texts):
    for predictor, model in hypothesis_models:
        assert_same(predictor, model, texts)


def test_symmetric_classes_tie_as_in_scikit_learn():
    texts = ["aa bb cc", "bb cc dd", "cc dd aa", "dd aa bb"]
    words = ["aa", "bb", "cc", "dd"]
    rng = random.Random(3)
    asked = ["", "zz"] + [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(800)]
    for vectorizer in (CountVectorizer(), TfidfVectorizer(), TfidfVectorizer(norm=None)):
        model = fitted_pipeline(vectorizer, MultinomialNB(), texts, list("wxyz"))
        assert_same(translate(model), model, asked)


def test_a_vocabulary_in_the_users_order_ties_as_in_scikit_learn():
    texts = ["aa bb cc", "bb cc dd", "cc dd aa", "dd aa bb"]
    model = fitted_pipeline(
        CountVectorizer(vocabulary=["dd", "aa", "cc", "bb"]), MultinomialNB(), texts, list("wxyz")
    )
    rng = random.Random(5)
    asked = [" ".join(rng.choices(["aa", "bb", "cc", "dd"], k=9)) for _ in range(500)]
    assert_same(translate(model), model, asked)


def test_modified_huber_with_every_class_clipped_to_zero_is_uniform():
    model = fitted_pipeline(CountVectorizer(), SGDClassifier(loss="modified_huber", random_state=0))
    model[-1].intercept_ = np.array([-50.0, -51.0, -52.0])
    predictor = translate(model)
    assert predictor.predict(["zzzz"])[0].scores == (1 / 3, 1 / 3, 1 / 3)
    assert_same(predictor, model, texts_for(SEED, 60))


def test_modified_huber_at_the_edge_of_zero_follows_scikit_learn():
    model = fitted_pipeline(CountVectorizer(), SGDClassifier(loss="modified_huber", random_state=0))
    model[-1].coef_ = np.round(model[-1].coef_, 0) / 10
    model[-1].intercept_ = np.array([-1.3, -1.2, -1.1])
    assert_same(translate(model), model, texts_for(SEED, 400))


def test_probabilities_a_rounding_above_zero_follow_scikit_learn():
    model = fitted_pipeline(TfidfVectorizer(), SGDClassifier(loss="modified_huber", random_state=0))
    for text in TEXTS[:60]:
        scores = model[-1].coef_ @ model[:-1].transform([text]).toarray()[0]
        model[-1].intercept_ = np.array([-1.0, -1.5, -1.7]) - scores
        assert_same(translate(model), model, [text])


def test_a_step_in_the_calibration_falls_as_in_scikit_learn():
    calibrated = CalibratedClassifierCV(
        LinearSVC(random_state=0), method="isotonic", ensemble=False, cv=2
    )
    labels = [str(label == "positive") for label in LABELS]
    model = fitted_pipeline(TfidfVectorizer(ngram_range=(1, 2)), calibrated, labels=labels)
    member = model[-1].calibrated_classifiers_[0]
    step = member.calibrators[0]
    for text in TEXTS[:60]:
        score = member.estimator.decision_function(model[:-1].transform([text]))[0]
        step.X_thresholds_ = np.array([score - 1, np.nextafter(score, -9), score, score + 1])
        step.y_thresholds_ = np.array([0.1, 0.1, 0.9, 0.9])
        step.X_min_, step.X_max_ = score - 1, score + 1
        step._build_f(step.X_thresholds_, step.y_thresholds_)
        assert_same(translate(model), model, [text])


def test_a_value_at_bernoullis_threshold_is_not_above_it():
    model = fitted_pipeline(CountVectorizer(), BernoulliNB(binarize=2.0))
    assert_same(translate(model), model, ["good good bad", "good good good", "bad", *TEXTS])


def test_bernoulli_does_not_see_a_vectorizer_of_no_weight():
    parts = [("words", CountVectorizer()), ("pairs", CountVectorizer(ngram_range=(2, 2)))]
    union = FeatureUnion(parts, transformer_weights={"words": 0.0})
    rare = [str(position % 5 == 0) for position in range(len(TEXTS))]
    model = fitted_pipeline(union, BernoulliNB(), labels=rare)
    assert_same(translate(model), model, texts_for(SEED, 60))


def test_one_vs_rest_without_any_probability_stays_zero():
    base = OneVsRestClassifier(SGDClassifier(loss="modified_huber", random_state=0))
    model = fitted_pipeline(CountVectorizer(), base)
    for part in model[-1].estimators_:
        part.intercept_ = np.array([-50.0])
    predictor = translate(model)
    assert predictor.predict(["zzzz"])[0].scores == (0.0, 0.0, 0.0)
    assert_same(predictor, model, texts_for(SEED, 60))


def test_extreme_scores_neither_overflow_nor_differ():
    model = fitted_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    model[-1].coef_ = model[-1].coef_ * 1e5
    assert_same(translate(model), model, texts_for(SEED, 100))
    binary = fitted_pipeline(CountVectorizer(), labels=[x == "positive" for x in LABELS])
    binary[-1].coef_ = binary[-1].coef_ * 1e5
    assert_same(translate(binary), binary, texts_for(SEED, 100))


def ideographs(count):
    """So many words of one character."""
    return [chr(0x4E00 + place) for place in range(count)]


@pytest.mark.parametrize("count", [4095, 4096, 4097])
def test_as_many_terms_as_can_be_added_up_are_answered_as_in_scikit_learn(count):
    words = ideographs(count)
    text = " ".join(words)
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")
    model = fitted_pipeline(vectorizer, None, [*words[:3], text], list("abca"))
    model[0].idf_ = np.full(count, 1 - 2**-53)  # each just below a power of two: the most it takes
    model[-1].coef_[:] = np.array([[1 - 2**-53], [-0.5], [-0.5]])
    assert_same(translate(model), model, [text, words[0], ""])


@pytest.mark.parametrize(("idf", "weight"), [(1e10, 1e300), (1e160, 1.0), (1e-200, 1e200)])
def test_numbers_beyond_all_bounds_are_answered_as_in_scikit_learn(idf, weight):
    model = fitted_pipeline(TfidfVectorizer(), None, ["aa bb", "bb cc"], ["no", "yes"])
    model[0].idf_ = np.full(3, idf)
    model[-1].coef_[0] = [weight, -1.0, 1.0]
    with np.errstate(over="ignore"):
        assert_same(translate(model), model, ["bb", "cc bb", "", "aa"])


def test_roundings_of_many_parts_do_not_add_up_to_another_label():
    words = [f"w{number:03d}" for number in range(512)]
    text = " ".join(words)
    union = FeatureUnion([(str(part), CountVectorizer()) for part in range(12)])
    model = fitted_pipeline(union, None, [text, "w001"], ["no", "yes"])
    model[-1].coef_[0] = [4000 + 2.0**-41, -4000.0] * 3072
    model[-1].intercept_[:] = -1.2e-9
    assert_same(translate(model), model, [text])


def test_a_large_weight_does_not_magnify_the_norms_rounding():
    model = fitted_pipeline(TfidfVectorizer(), None, ["aa bb", "bb cc"], ["no", "yes"])
    model[0].idf_ = np.array([1.0049112989591902, 45.0, 2.0])
    model[-1].coef_[0] = [20000.3, 1.0, 1.0]
    model[-1].intercept_[:] = -20000.3
    assert_same(translate(model), model, ["aa", "bb aa"])


def test_modified_huber_with_hardly_any_probability_left_is_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(300)]
    texts = [" ".join(rng.choice(words, 20)) for _ in range(60)]
    classifier = SGDClassifier(loss="modified_huber", random_state=0)
    model = fitted_pipeline(TfidfVectorizer(), classifier, texts, list("abc") * 20)
    before = model[-1].intercept_.copy()
    for text in texts[:20]:
        model[-1].intercept_[:] = before
        scores = model.decision_function([text])[0]
        model[-1].intercept_[:] = before - scores - 1 + np.array([1.3e-6, 1.7e-6, 0.5e-6])
        assert_same(translate(model), model, [text])


def test_a_single_class_is_always_the_answer():
    model = fitted_pipeline(CountVectorizer(), MultinomialNB(), TEXTS, ["only"] * len(TEXTS))
    predictor, _ = compile_model(model, original(model))
    assert predictor.predict(["", "good"]) == [("only", 1.0, (1.0,))] * 2


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ([0, 1, 2], ("0", "1", "2")),
        ([-1, 0, 10], ("-1", "0", "10")),
        (["no", "so", "yes"], ("no", "so", "yes")),
        ([False, True, True], ("False", "True")),
    ],
)
def test_labels_are_the_classes_as_strings(classes, names):
    wanted = dict(zip(sorted(set(LABELS)), classes, strict=True))
    model = fitted_pipeline(labels=[wanted[label] for label in LABELS])
    predictor, _ = compile_model(model, original(model))
    assert predictor.labels == names
    assert_same(predictor, model, TEXTS)


def test_whole_floats_are_the_labels_that_the_original_shows():
    model = fitted_pipeline(labels=[float(sorted(set(LABELS)).index(label)) for label in LABELS])
    predictor, _ = compile_model(model, answers_of(SklearnPredictor(model, {})))
    assert predictor.labels == ("0", "1", "2")


def test_labels_can_be_renamed_in_part():
    model = fitted_pipeline(labels=[sorted(set(LABELS)).index(label) for label in LABELS])
    names = {"0": "negative", "2": "positive"}

    def renamed(texts):
        labels, rows = original(model)(texts)
        return [names.get(label, label) for label in labels], rows

    predictor, _ = compile_model(model, renamed, labels=names)
    assert predictor.labels == ("negative", "1", "positive")


def test_what_is_not_a_probability_has_no_confidence():
    model = fitted_pipeline(classifier=LinearSVC())
    answer = translate(model).predict(["good"])[0]
    assert (answer.confidence, answer.scores) == (None, None)


def test_confidence_is_the_labels_own_probability(pipeline):
    predictor = translate(pipeline)
    for answer in predictor.predict(TEXTS):
        assert answer.confidence == answer.scores[predictor.labels.index(answer.label)]


def test_a_batch_is_answered_in_order_and_may_be_empty(pipeline):
    predictor = translate(pipeline)
    assert predictor.predict([]) == []
    assert predictor.predict(TEXTS) == [predictor.predict([text])[0] for text in TEXTS]


def test_parameters_changed_after_fitting_count_as_scikit_learn_counts_them():
    model = fitted_pipeline(TfidfVectorizer(norm="l2", sublinear_tf=False))
    model[0].set_params(norm="l1", sublinear_tf=True, use_idf=True, binary=True)
    assert_same(translate(model), model, texts_for(SEED, 60))


@pytest.mark.parametrize(
    "classifier",
    [
        Perceptron(),
        RidgeClassifierCV(),
        LogisticRegressionCV(
            Cs=2,
            cv=2,
            max_iter=500,
            scoring="accuracy",
            use_legacy_attributes=False,
            l1_ratios=(0,),
        ),
        SGDClassifier(loss="squared_hinge", random_state=0),
        SGDClassifier(loss="perceptron", random_state=0),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_other_linear_classifiers_are_compiled(classifier):
    model = fitted_pipeline(TfidfVectorizer(), classifier)
    assert_same(translate(model), model, texts_for(SEED, 60))


@pytest.mark.parametrize(
    "selector",
    [SelectPercentile(chi2), SelectFromModel(LinearSVC()), VarianceThreshold(0.001)],
    ids=lambda selector: type(selector).__name__,
)
def test_selected_features_are_scikit_learns(selector):
    model = fitted_pipeline(make_pipeline(TfidfVectorizer(), selector))
    assert_same(translate(model), model, texts_for(SEED, 60))


def test_a_finished_grid_search_is_its_best_estimator():
    search = GridSearchCV(
        make_pipeline(TfidfVectorizer(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]},
        cv=2,
    ).fit(TEXTS, LABELS)
    predictor, _ = compile_model(search, original(search))
    assert_same(predictor, search, texts_for(SEED, 60))


def test_calibration_of_a_frozen_model_is_compiled():
    model = frozen_calibration()
    predictor, _ = compile_model(model, original(model))
    assert_same(predictor, model, texts_for(SEED, 60))


class OwnStep(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def table_pipeline(*parts, **options):
    import pandas as pd

    table = pd.DataFrame({"text": TEXTS, "title": TEXTS})
    model = make_pipeline(ColumnTransformer(list(parts), **options), LogisticRegression())
    return model.fit(table, LABELS)


def calibrated_pipeline_inside():
    inside = make_pipeline(TfidfVectorizer(), BernoulliNB())
    return CalibratedClassifierCV(inside, cv=2).fit(TEXTS, LABELS)


def fitted_on_other_columns():
    model = fitted_pipeline()
    model.steps[0] = ("tfidfvectorizer", TfidfVectorizer(max_features=5).fit(TEXTS))
    return model


def classes_between_numbers():
    model = fitted_pipeline()
    model[-1].classes_ = np.array([0.5, 1.5, 2.5])
    return model


def hashed_wider(features):
    model = fitted_pipeline(HashingVectorizer(n_features=64))
    model[0].n_features = features
    return model


def signed_counts_under_a_logarithm():
    hashed = make_pipeline(HashingVectorizer(n_features=64, norm=None), TfidfTransformer())
    model = fitted_pipeline(hashed)
    hashed[-1].sublinear_tf = True
    return model


MARKS = np.array([[x == "positive", x != "neutral", len(x) == 7] for x in LABELS], dtype=int)
MULTILABEL = {
    "one-vs-rest": OneVsRestClassifier(LogisticRegression(C=10)),
    "one-vs-rest-svc": OneVsRestClassifier(LinearSVC()),
    "one-vs-rest-huber": OneVsRestClassifier(SGDClassifier("modified_huber", random_state=0)),
    "ridge": RidgeClassifier(),
    "ridge-cv": RidgeClassifierCV(),
    "multi-output": MultiOutputClassifier(LogisticRegression()),
    "one-vs-rest-bayes": OneVsRestClassifier(MultinomialNB()),
    "one-vs-rest-bernoulli": OneVsRestClassifier(BernoulliNB(binarize=0.2)),
    "multi-output-bayes": MultiOutputClassifier(MultinomialNB()),
    "multi-output-svc": MultiOutputClassifier(LinearSVC()),
}


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("name", MULTILABEL)
def test_several_labels_of_linear_parts_are_compiled(name, width, tmp_path):
    model = fitted_pipeline(classifier=MULTILABEL[name], labels=MARKS[:, :width])
    names = {"0": "good", "1": "opinion"}
    asked = answers_of(SklearnPredictor(model, names))
    predictor, _ = compile_model(model, asked, labels=names)
    save(tmp_path / "model", predictor, {})
    for served in (predictor, load(tmp_path / "model")[0]):
        assert (served.multilabel, served.labels) == (True, ("good", "opinion", "2")[:width])
        found = compare(served, asked, texts_for(SEED, 60))
        assert found.problem is None, found
    assert len({answer.labels for answer in predictor.predict(TEXTS)}) > 2
    has_rows = hasattr(model, "predict_proba")
    assert [answer.scores is not None for answer in predictor.predict(TEXTS)] == [has_rows] * 150


def test_a_label_whose_score_ties_is_scikit_learns():
    texts, marks = ["aa bb", "bb cc", "cc aa"], np.eye(3, dtype=int)
    model = fitted_pipeline(CountVectorizer(), OneVsRestClassifier(LinearSVC()), texts, marks)
    for part in model[-1].estimators_:
        part.coef_, part.intercept_ = np.array([[0.1, 0.2, -0.3]]), np.array([0.0])
    asked = ["aa bb cc", "cc bb aa aa", "", "aa", "cc"]
    expected = [tuple(np.flatnonzero(row).astype(str)) for row in model.predict(asked)]
    assert [answer.labels for answer in translate(model).predict(asked)] == expected


def test_one_target_of_many_is_an_ordinary_classifier():
    rows = [[label] for label in LABELS]
    model = fitted_pipeline(classifier=MultiOutputClassifier(LogisticRegression()), labels=rows)
    predictor, _ = compile_model(model, answers_of(SklearnPredictor(model, {})))
    assert (predictor.multilabel, predictor.labels) == (False, ("negative", "neutral", "positive"))


REFUSED = {
    "HashingVectorizer with n_features=8388608; up to": lambda: hashed_wider(2**23),
    "on counts that may be negative": (signed_counts_under_a_logarithm),
    "KNeighborsClassifier": lambda: fitted_pipeline(classifier=KNeighborsClassifier()),
    "OwnVectorizer": lambda: fitted_pipeline(OwnVectorizer()),
    "OwnStep": lambda: fitted_pipeline(make_pipeline(TfidfVectorizer(), OwnStep())),
    "computes in float32": lambda: fitted_pipeline(TfidfVectorizer(dtype=np.float32)),
    "computes in int8": lambda: fitted_pipeline(CountVectorizer(dtype=np.int8)),
    "FunctionTransformer between the vectorizer": lambda: fitted_pipeline(
        make_pipeline(TfidfVectorizer(), FunctionTransformer(abs))
    ),
    "MaxAbsScaler(clip=True); clip=False is compiled": lambda: fitted_pipeline(
        make_pipeline(TfidfVectorizer(), MaxAbsScaler(clip=True))
    ),
    "norm spans all": lambda: fitted_pipeline(
        make_pipeline(
            FeatureUnion([("a", CountVectorizer()), ("b", CountVectorizer())]), TfidfTransformer()
        )
    ),
    "not plain counts": lambda: fitted_pipeline(
        make_pipeline(TfidfVectorizer(), TfidfTransformer(norm=None))
    ),
    "MultiOutputClassifier has targets of other values": lambda: fitted_pipeline(
        classifier=MultiOutputClassifier(LogisticRegression()), labels=MARKS + 1
    ),
    "OneVsRestClassifier over _ConstantPredictor": lambda: fitted_pipeline(
        classifier=OneVsRestClassifier(LogisticRegression()), labels=MARKS * [1, 1, 0]
    ),
    "MultiOutputClassifier over DummyClassifier": lambda: fitted_pipeline(
        classifier=MultiOutputClassifier(DummyClassifier()), labels=MARKS
    ),
    "CalibratedClassifierCV over BernoulliNB; over": calibrated_pipeline_inside,
    "with method='temperature'; 'sigmoid' and 'isotonic' are": lambda: fitted_pipeline(
        classifier=CalibratedClassifierCV(LinearSVC(), method="temperature", cv=2)
    ),
    "BernoulliNB has weights that are infinite": lambda: fitted_pipeline(
        CountVectorizer(binary=True), BernoulliNB(alpha=0.0, force_alpha=True)
    ),
    "or not a number": lambda: fitted_pipeline(
        TfidfVectorizer(norm=None), BernoulliNB(binarize=None)
    ),
    "is not fitted": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "BaggingClassifier is not fitted": lambda: make_pipeline(
        TfidfVectorizer(), BaggingClassifier()
    ),
    "no text vectorizer": lambda: LogisticRegression().fit([[0], [1]], [0, 1]),
    "is empty": lambda: Pipeline([("nothing", "passthrough")]),
    "MaxAbsScaler where a text vectorizer was expected": lambda: make_pipeline(
        MaxAbsScaler(), LogisticRegression()
    ).fit([[0], [1]], [0, 1]),
    "on other columns": fitted_on_other_columns,
    "remainder is not 'drop'": lambda: table_pipeline(
        ("text", CountVectorizer(), "text"), ("rest", "drop", ["title"]), remainder="passthrough"
    ),
    "it reads text, title": lambda: table_pipeline(
        ("a", CountVectorizer(), "text"), ("b", CountVectorizer(), "title")
    ),
    "0.5 is a float; fit with str or int": classes_between_numbers,
}


@pytest.mark.parametrize("reason", REFUSED)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Only .* 'dtype' should be used:UserWarning")
@pytest.mark.filterwarnings("ignore:Label not 2 is present in all:UserWarning")
def test_what_is_not_covered_is_refused_with_the_reason(reason):
    model = REFUSED[reason]()
    with pytest.raises(NotCompilable, match=re.escape(reason)):
        translate(model)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"negative": "positive"}, "gives two of the model's classes one name"),
        ({"0": "bad", "1": "good"}, "the model's classes are negative, neutral, positive"),
        ({"Negative": "bad"}, r"Write class=name pairs with these, as negative=name"),
    ],
)
def test_labels_that_do_not_fit_the_classes_are_an_error_that_names_them(pipeline, labels, reason):
    with pytest.raises(ModelLoadError, match=reason):
        translate(pipeline, labels=labels)


def test_labels_of_numbers_do_not_fit_classes_that_are_true_and_false():
    model = fitted_pipeline(labels=[label == "positive" for label in LABELS])
    with pytest.raises(ModelLoadError, match="names 0, 1, and the model's classes are False, True"):
        translate(model, labels={"0": "negative", "1": "positive"})
    assert translate(model, labels={"False": "no", "True": "yes"}).labels == ("no", "yes")


def test_disagreement_is_refused_with_what_differs(pipeline):
    def wrong_labels(texts):
        labels, rows = original(pipeline)(texts)
        return ["neutral"] * len(labels), rows

    def wrong_probabilities(texts):
        labels, rows = original(pipeline)(texts)
        return labels, [[share + 2e-9 for share in row] for row in rows]

    with pytest.raises(NotCompilable, match=r"disagree: \d+ of \d+ labels differ, first on"):
        compile_model(pipeline, wrong_labels)
    with pytest.raises(NotCompilable, match="disagree: probabilities differ by 2e-09"):
        compile_model(pipeline, wrong_probabilities)
    with pytest.raises(NotCompilable, match="probabilities differ by inf"):
        compile_model(pipeline, lambda texts: (original(pipeline)(texts)[0], None))


def test_an_original_that_fails_is_the_reason(pipeline):
    def one_answer(texts):
        return ["neutral"], None

    with pytest.raises(NotCompilable, match=r"probe texts fails: \d+ texts got 1 answers"):
        compile_model(pipeline, one_answer)
