"""The demo: the sentences themselves, and the model trained, registered and served from them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import mlflow
import pytest

from function.demo.evaluate import evaluate, held_out_by_kind
from function.demo.phrases import make_sentences
from function.demo.sentences import LABELS, read_held_out, read_sentences
from tests.conftest import ROOT, AppFactory, clean_environ
from tests.registry import TAG


def run_demo(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """``python -m function.demo`` in an empty folder."""
    return subprocess.run(
        [sys.executable, "-m", "function.demo", *arguments],
        cwd=folder,
        env={**clean_environ(), "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_sentences_are_many_balanced_and_distinct() -> None:
    sentences = read_sentences()
    counts = Counter(sentence.label for sentence in sentences)
    assert len(sentences) >= 1_200
    assert set(counts) == set(LABELS)
    assert min(counts.values()) > 0.75 * max(counts.values())
    assert len({sentence.text.casefold() for sentence in sentences}) == len(sentences)
    assert all(sentence.text == sentence.text.strip() != "" for sentence in sentences)


def test_made_sentences_are_distinct_and_the_same_in_every_run() -> None:
    made = make_sentences()
    assert made == make_sentences()
    assert {sentence.label for sentence in made} == set(LABELS)
    assert len({sentence.text.casefold() for sentence in made}) == len(made) > 5_000
    assert not [text for _, text in made if "{" in text or "  " in text or ";" in text]


def test_nothing_held_out_is_trained_on() -> None:
    trained = {_words(sentence.text) for sentence in read_sentences() + make_sentences()}
    held_out = read_held_out()
    assert len(held_out) > 120
    assert [item.text for item in held_out if _words(item.text) in trained] == []


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))


HARD = {"irony": 0.3, "comparison": 0.7, "concession": 0.7, "question": 0.6, "negation": 0.75}


def test_sentences_held_out_are_read_right_kind_by_kind() -> None:
    kinds = held_out_by_kind()
    low = {
        kind: f"{right}/{total}"
        for kind, (right, total) in kinds.items()
        if right < HARD.get(kind, 0.85) * total
    }
    assert low == {}
    assert sum(right for right, _ in kinds.values()) >= 0.85 * len(read_held_out())


def test_the_sentences_are_no_template_family() -> None:
    openings = Counter(
        tuple(sentence.text.casefold().split()[:3])
        for sentence in read_sentences()
        if len(sentence.text.split()) > 5
    )
    opening, most = openings.most_common(1)[0]
    assert most < 40, opening


def test_the_demo_says_what_it_does(demo_folder: Path) -> None:
    output = (demo_folder / "demo.log").read_text()
    assert f"training on {len(read_sentences() + make_sentences())} labelled sentences" in output
    assert "registered prod-sentiment-classifier version 1" in output


def test_an_evaluation_tells_the_accuracy_and_the_confusion_that_the_readme_shows() -> None:
    told: list[str] = []
    metrics, confusion = evaluate(told.append)
    assert "cross-validation" in told[0] and "accuracy 0." in told[1] and told[2] == confusion
    assert metrics["cv_accuracy"] > 0.75
    readme = (ROOT / "README.md").read_text()
    shown = float(re.search(r"Cross-validated accuracy.*?([\d.]+) %", readme)[1])  # type: ignore[index]
    assert shown == pytest.approx(100 * metrics["cv_accuracy"], abs=1)


def test_the_registered_model_has_what_a_registry_should_show(demo_folder: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{demo_folder}/mlflow.db")
    version = client.get_model_version_by_alias("prod-sentiment-classifier", "champion")
    assert (version.version, version.current_stage) in {("1", "Production"), (1, "Production")}
    assert client.get_run(version.run_id).data.params["sublinear_tf"] == "True"
    assert (demo_folder / "mlartifacts").is_dir()


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("This product is amazing!", "positive"),
        ("Terrible service", "negative"),
        ("Just okay", "neutral"),
        ("not good at all", "negative"),
        ("Slow, but worth it", "positive"),
    ],
)
def test_the_demo_model_reads_plain_sentences_right(
    create_app: AppFactory, demo_folder: Path, text: str, sentiment: str
) -> None:
    client = create_app(MLFLOW_TRACKING_URI=f"sqlite:///{demo_folder}/mlflow.db")
    answer = client.post("/predict", json={"text": text}).json
    assert answer["sentiment"] == sentiment
    assert 0.5 < answer["confidence"] < 1


def test_if_missing_trains_nothing_where_the_model_is_registered(demo_folder: Path) -> None:
    before = (demo_folder / "mlflow.db").read_bytes()
    assert run_demo(demo_folder, "--if-missing").stdout == ""
    assert (demo_folder / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize(
    "environ",
    [{"MODEL_URI": "models:/my-own/1"}, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}],
)
def test_if_missing_never_trains_into_a_users_own_registry(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert run_demo(tmp_path, "--if-missing", **environ).stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples(tmp_path: Path) -> None:
    assert "examples:" in run_demo(tmp_path, "--help").stdout


def test_the_demo_is_published_and_served_from_there(demo_folder: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{demo_folder}/mlflow.db")
    version = client.get_model_version_by_alias("prod-sentiment-classifier", "champion")
    assert TAG in version.tags
