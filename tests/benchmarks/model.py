"""The model every competitor serves: a DataFrame pipeline, trained here and registered in a local
MLflow.

Run as a process of its own (`python -m tests.benchmarks.model`), so that the benchmark itself stays
free of MLflow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import corpus, progress

TEXT_COUNT = 1_000
_DESCRIPTION, _TEXTS, _EXPECTED = "model.json", "texts.json", "expected.json"


@dataclass(frozen=True)
class Model:
    """A trained model on disk and in the registry, with scikit-learn's own answers to the texts
    asked.
    """

    name: str
    term_count: int
    format: str
    tracking_uri: str
    model_uri: str
    files: str  # the MLflow model folder
    bytes: int
    labels: list[str]

    def texts(self) -> list[str]:
        """The texts to ask about, none of them seen in training."""
        return list(_read(self, _TEXTS))

    def expected(self) -> list[list[float]]:
        """What scikit-learn's predict_proba says of `texts`, one row each, columns in the order of
        `labels`.
        """
        return list(_read(self, _EXPECTED))


def _read(model: Model, name: str) -> Any:
    return json.loads((Path(model.files).parent / name).read_text(encoding="utf-8"))


def load(folder: Path, name: str) -> Model:
    """The model made earlier under this name; FileNotFoundError if there is none."""
    return Model(**json.loads((folder / name / _DESCRIPTION).read_text(encoding="utf-8")))


def prepare(
    folder: Path,
    name: str,
    term_count: int,
    model_format: str,
    sentences: Path | None,
    of_words: bool = False,
) -> Model:
    """The model of this name, trained in a process of its own unless an equal one is there.

    `of_words` trains on generated words instead of sentences, for vocabularies no sentences would
    fill.
    """
    arguments = [
        "--folder",
        str(folder),
        "--name",
        name,
        "--terms",
        str(term_count),
        "--format",
        model_format,
    ]
    arguments += ["--sentences", str(sentences)] if sentences else []
    arguments += ["--of-words"] if of_words else []
    recipe = folder / name / "recipe.json"
    wanted = json.dumps([arguments[2:], sentences.stat().st_size if sentences else 0])
    if not recipe.exists() or recipe.read_text() != wanted:
        command = [sys.executable, "-m", "tests.benchmarks.model", *arguments]
        progress.run(
            f"training model {name!r} ({term_count:,} terms) and logging it to MLflow", command
        )
        recipe.write_text(wanted)
    return load(folder, name)


def fit(sentences: list[corpus.Labelled], max_features: int | None, max_iter: int) -> Any:
    """The pipeline of the benchmark, fitted on a DataFrame with one column `text`."""
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    # With a million terms every single gradient is below the default tolerance before the first
    # step.
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), max_features=max_features)
    pipeline = Pipeline([
        ("columns", ColumnTransformer([("text", vectorizer, "text")])),
        ("classifier", LogisticRegression(C=10, max_iter=max_iter, tol=1e-9)),
    ])  # fmt: skip
    frame = pandas.DataFrame({"text": [text for _, text in sentences]})
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # a large vocabulary stops before the optimum: speed is measured, not skill
        return pipeline.fit(frame, [label for label, _ in sentences])


def _log(pipeline: Any, folder: Path, name: str, model_format: str) -> tuple[str, str, Path]:
    """Registers the pipeline; returns tracking URI, model URI and the model's folder on disk."""
    import mlflow
    import pandas
    import sklearn
    from mlflow.models import infer_signature

    tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(tracking_uri)
    if mlflow.get_experiment_by_name("benchmarks") is None:
        mlflow.create_experiment("benchmarks", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("benchmarks")
    frame = pandas.DataFrame({"text": ["a text", "another"]})
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            pipeline,
            name="model",
            signature=infer_signature(frame, pipeline.predict(frame)),
            registered_model_name=name,
            serialization_format=model_format,
            pip_requirements=[
                f"mlflow=={mlflow.__version__}",
                f"scikit-learn=={sklearn.__version__}",
            ],
        )
    model_uri = f"models:/{name}/{logged.registered_model_version}"
    files = folder / name / "files"
    shutil.copytree(mlflow.artifacts.download_artifacts(model_uri), files, dirs_exist_ok=True)
    return tracking_uri, model_uri, files


def train(
    folder: Path,
    name: str,
    term_count: int,
    model_format: str,
    extra: list[corpus.Labelled],
    of_words: bool,
) -> Model:
    """Trains, registers and writes down one model and scikit-learn's answers about it."""
    import pandas

    if of_words:
        sentences = list(corpus.word_corpus(term_count))
        pipeline = fit(sentences, max_features=term_count, max_iter=10)
    else:
        sentences = corpus.training_corpus(term_count, extra)
        pipeline = fit(sentences, max_features=None, max_iter=300)
    # MLflow never deletes: each training starts with an empty folder, or a new version in the
    # shared registry.
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).mkdir(parents=True)
    tracking_uri, model_uri, files = _log(pipeline, folder, name, model_format)
    texts = corpus.unseen_texts(TEXT_COUNT) if not of_words else _parts_of(sentences)
    probabilities = pipeline.predict_proba(pandas.DataFrame({"text": texts}))
    model = Model(
        name=name,
        term_count=len(pipeline["columns"].named_transformers_["text"].vocabulary_),
        format=model_format,
        tracking_uri=tracking_uri,
        model_uri=model_uri,
        files=str(files),
        bytes=sum(path.stat().st_size for path in files.rglob("*") if path.is_file()),
        labels=[str(label) for label in pipeline.classes_],
    )
    contents = {_TEXTS: texts, _EXPECTED: probabilities.tolist(), _DESCRIPTION: asdict(model)}
    for file_name, content in contents.items():
        (folder / name / file_name).write_text(json.dumps(content), encoding="utf-8")
    return model


def _parts_of(sentences: list[corpus.Labelled]) -> list[str]:
    """The first dozen words of documents: texts as long as a sentence."""
    return [
        " ".join(text.split()[:12])
        for _, text in itertools.islice(itertools.cycle(sentences), TEXT_COUNT)
    ]


def main() -> None:
    """The command line of this module; `prepare` is its only caller."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--terms", type=int, required=True)
    parser.add_argument("--format", required=True)
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--of-words", action="store_true")
    given = parser.parse_args()
    extra = corpus.read_sentences(given.sentences) if given.sentences else []
    train(given.folder.resolve(), given.name, given.terms, given.format, extra, given.of_words)


if __name__ == "__main__":
    main()
