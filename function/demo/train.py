"""Train the demo model and register it: a plain MLflow + scikit-learn script.

TF-IDF over words and word pairs, then logistic regression. The ColumnTransformer makes the
pipeline take what MLflow sends, a DataFrame with a ``text`` column. How good it is, is measured in
``evaluate.py``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from function import publish
from function.demo.phrases import make_sentences
from function.demo.sentences import Sentence, read_sentences
from function.registry import stores

EXPERIMENT = "sentiment-demo"
ARTIFACT_FOLDER = "mlartifacts"
REQUIREMENTS = ("mlflow", "pandas", "scikit-learn", "skops")
EXAMPLES = ["This product is amazing!", "Terrible service", "Just okay"]
GRAMMAR = (
    "am an and are at be been by for from has have he her him his in into is it its me my of on"
    " or our she that the their them these they this those to us was we were which who with you"
    " your"
)
"""Words of grammar: so few sentences would give them a leaning. What turns an opinion (not, but,
too, than, would) is none of them, and pairs reach over them: "waste of time" has "waste time"."""
PARAMETERS = {"C": 5, "class_weight": {"negative": 1, "neutral": 0.45, "positive": 1}}
"""Neutral counts less: most of what people send has an opinion, put in words that are not known."""
TOLERANCE = 1e-5
"""A tenth of scikit-learn's: confidences differ by less than 0.001 between machines."""

Report = Callable[[str], None]
Evaluation = tuple[dict[str, float], str]
"""Accuracy and macro F1, and the confusion matrix (rows true, columns predicted) as text."""


def build_pipeline() -> Pipeline:
    """The unfitted pipeline; takes a DataFrame with a ``text`` column."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words=GRAMMAR.split())
    return Pipeline(
        [
            ("features", ColumnTransformer([("tfidf", vectorizer, "text")])),
            ("classifier", LogisticRegression(**PARAMETERS, tol=TOLERANCE, max_iter=1000)),
        ]
    )


def labelled(sentences: list[Sentence]) -> tuple[pd.DataFrame, list[str]]:
    """What a pipeline is fitted on."""
    texts = pd.DataFrame({"text": [sentence.text for sentence in sentences]})
    return texts, [sentence.label for sentence in sentences]


def train_and_register(
    tracking_uri: str, name: str, report: Report, evaluation: Evaluation | None = None
) -> str:
    """Train, log, register (stage Production, alias champion) and publish; returns the version."""
    # mlflow warns about stages (deprecated, and what MODEL_URI's default names) and about schema
    # inference on its way; neither is news to who runs a demo.
    warnings.simplefilter("ignore")
    texts, labels = labelled(read_sentences() + make_sentences())
    report(f"training on {len(labels)} labelled sentences ...")
    pipeline = build_pipeline().fit(texts, labels)
    report(f"logging and registering {name} at {tracking_uri} ...")
    registered = _register(tracking_uri, name, pipeline, evaluation)
    report("compiling it, and publishing that beside it ...")
    publish(f"models:/{name}/{registered}")
    return registered


def _register(
    tracking_uri: str, name: str, pipeline: Pipeline, evaluation: Evaluation | None
) -> str:
    mlflow.set_tracking_uri(tracking_uri)
    with stores.others_waiting(tracking_uri):  # a new database, and the experiment in it
        client = MlflowClient()
        if client.get_experiment_by_name(EXPERIMENT) is None:
            local = tracking_uri.startswith("sqlite:")
            folder = os.path.abspath(ARTIFACT_FOLDER) if local else None
            client.create_experiment(EXPERIMENT, folder)
    mlflow.set_experiment(EXPERIMENT)
    example = pd.DataFrame({"text": EXAMPLES})
    with mlflow.start_run():
        mlflow.log_params({**PARAMETERS, "ngram_range": "1-2", "sublinear_tf": True})
        if evaluation is not None:
            metrics, confusion = evaluation
            mlflow.log_metrics(metrics)
            mlflow.log_text(confusion, "confusion_matrix.txt")
        logged: Any = mlflow.sklearn.log_model(
            pipeline,
            name="model",
            signature=infer_signature(example, pipeline.predict(example)),
            input_example=example,
            registered_model_name=name,
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        )
    registered = str(logged.registered_model_version)
    client.transition_model_version_stage(name, registered, "Production")
    client.set_registered_model_alias(name, "champion", registered)
    return registered
