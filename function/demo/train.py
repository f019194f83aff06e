"""Train the demo model and register it: a plain MLflow + scikit-learn script.

TF-IDF over words and word pairs, then logistic regression. The ColumnTransformer makes the
pipeline take what MLflow sends, a DataFrame with a ``text`` column.
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
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline

from function import publish
from function.demo.sentences import LABELS, read_sentences
from function.registry import stores

EXPERIMENT = "sentiment-demo"
FOLDS = 5
ARTIFACT_FOLDER = "mlartifacts"
REQUIREMENTS = ("mlflow", "pandas", "scikit-learn", "skops")
EXAMPLES = ["This product is amazing!", "Terrible service", "Just okay"]

Report = Callable[[str], None]
Evaluation = tuple[dict[str, float], str]
"""Accuracy and macro F1, and the confusion matrix (rows true, columns predicted) as text."""


def build_pipeline() -> Pipeline:
    """The unfitted pipeline; takes a DataFrame with a ``text`` column."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return Pipeline(
        [
            ("features", ColumnTransformer([("tfidf", vectorizer, "text")])),
            ("classifier", LogisticRegression(C=3, max_iter=1000)),
        ]
    )


def evaluate(report: Report) -> Evaluation:
    """Cross-validate on the sentences, and tell."""
    texts, labels = _labelled()
    report(f"{len(labels)} labelled sentences; {FOLDS}-fold cross-validation ...")
    metrics, confusion = cross_validate(texts, labels)
    report(f"accuracy {metrics['cv_accuracy']:.3f}, macro F1 {metrics['cv_macro_f1']:.3f}")
    report(confusion)
    return metrics, confusion


def train_and_register(
    tracking_uri: str, name: str, report: Report, evaluation: Evaluation | None = None
) -> str:
    """Train, log, register (stage Production, alias champion) and publish; returns the version."""
    # mlflow warns about stages (deprecated, and what MODEL_URI's default names) and about schema
    # inference on its way; neither is news to who runs a demo.
    warnings.simplefilter("ignore")
    texts, labels = _labelled()
    report(f"training on {len(labels)} labelled sentences ...")
    pipeline = build_pipeline().fit(texts, labels)
    report(f"logging and registering {name} at {tracking_uri} ...")
    registered = _register(tracking_uri, name, pipeline, evaluation)
    report("compiling it, and publishing that beside it ...")
    publish(f"models:/{name}/{registered}")
    return registered


def _labelled() -> tuple[pd.DataFrame, list[str]]:
    sentences = read_sentences()
    texts = pd.DataFrame({"text": [sentence.text for sentence in sentences]})
    return texts, [sentence.label for sentence in sentences]


def cross_validate(texts: pd.DataFrame, labels: list[str]) -> Evaluation:
    """How good it is on what it was not trained on."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    predicted = cross_val_predict(build_pipeline(), texts, labels, cv=folds)
    metrics = {
        "cv_accuracy": float(accuracy_score(labels, predicted)),
        "cv_macro_f1": float(f1_score(labels, predicted, average="macro")),
        "sentences": float(len(labels)),
    }
    matrix = confusion_matrix(labels, predicted, labels=list(LABELS))
    frame = pd.DataFrame(matrix, index=[f"true {label}" for label in LABELS], columns=list(LABELS))
    return metrics, frame.to_string()


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
        mlflow.log_params({"C": 3, "ngram_range": "1-2", "sublinear_tf": True})
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
