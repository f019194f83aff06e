"""Small real models in a real MLflow registry."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature, infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from function.demo.sentences import read_sentences
from function.registry.published import tag_of

NAME = "reviews"
TAG = tag_of(f"3-{sys.byteorder}")
"""Of what is published of these models: format 3 can say all that is in them."""
EXAMPLE = pd.DataFrame({"text": ["Lovely little shop", "Never again"]})


@dataclass(frozen=True)
class Registry:
    """Where the models are; version 1 is archived, 2 in Production as champion, 3 new.

    ``folder`` is where the artifacts are kept.
    """

    tracking_uri: str
    run_id: str
    model_id: str
    folder: Path = Path()

    @property
    def environ(self) -> dict[str, str]:
        """What serves the model in Production."""
        return {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MODEL_URI": f"models:/{NAME}/Production",
        }


def training_data() -> tuple[pd.DataFrame, list[str]]:
    """A sixth of the demo sentences, as a frame with a ``text`` column, and their labels."""
    sentences = read_sentences()[::6]
    frame = pd.DataFrame({"text": [sentence.text for sentence in sentences]})
    return frame, [sentence.label for sentence in sentences]


def frame_pipeline(classifier: Any = None) -> Pipeline:
    """A fitted pipeline that takes a DataFrame, as MLflow sends it."""
    texts, labels = training_data()
    features = ColumnTransformer([("tfidf", TfidfVectorizer(), "text")])
    return make_pipeline(
        features, LogisticRegression(C=10) if classifier is None else classifier
    ).fit(texts, labels)


def strings_pipeline(classifier: Any = None) -> Pipeline:
    """A fitted pipeline that takes plain strings, and misreads a DataFrame silently."""
    texts, labels = training_data()
    model = make_pipeline(
        TfidfVectorizer(), LogisticRegression(C=10) if classifier is None else classifier
    )
    return model.fit(texts["text"].tolist(), labels)


def _or_default(classifier: Any) -> Any:
    # Not `or`: an ensemble that is not fitted yet has no length to be true by.
    return LogisticRegression(C=10) if classifier is None else classifier


def text_signature() -> ModelSignature:
    """One column of strings named ``text``."""
    return infer_signature(EXAMPLE)


def another_version(name: str) -> Any:
    """Log another model and register it: where it is copied, none of the three above is another's
    version too."""
    client = MlflowClient()
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    with mlflow.start_run(experiment_id=experiment.experiment_id):
        logged = mlflow.sklearn.log_model(
            frame_pipeline(), name="model", registered_model_name=name, pip_requirements=[]
        )
    return client.get_model_version(name, str(logged.registered_model_version))


def build_registry(tracking_uri: str, artifacts: Path | None) -> Registry:
    """Register three versions of the small model; ``artifacts`` None takes the server's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _build(tracking_uri, artifacts)


def _build(tracking_uri: str, artifacts: Path | None) -> Registry:
    mlflow.set_tracking_uri(tracking_uri)
    client = MlflowClient()
    experiment = client.create_experiment("tests", str(artifacts) if artifacts else None)
    pipeline = frame_pipeline()
    for _ in range(3):
        with mlflow.start_run(experiment_id=experiment):
            mlflow.sklearn.log_model(
                pipeline,
                name="model",
                signature=text_signature(),
                input_example=EXAMPLE,
                registered_model_name=NAME,
                pip_requirements=[],
            )
    client.transition_model_version_stage(NAME, "1", "Archived")
    client.transition_model_version_stage(NAME, "2", "Production")
    client.set_registered_model_alias(NAME, "champion", "2")
    version = client.get_model_version(NAME, "2")
    return Registry(tracking_uri, version.run_id, version.source.removeprefix("models:/"))
