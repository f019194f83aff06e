"""`python -m function.predict`: a line of answer for every row, whatever it comes from."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from function import predict
from function.compiled.writing import save
from function.compiler.compiler import translate
from function.predicting import chunks
from tests.conftest import ROOT, clean_environ
from tests.doors import start_door
from tests.kinds import Case, fit
from tests.predicting import Run, parsed, runner
from tests.processes import LiveServer

TEXTS = ["This product is amazing", "terrible", "Crème brûlée 🍮, really", 'so "fine"']
COMMAND = [sys.executable, "-m", "function.predict"]


@pytest.fixture(scope="module")
def server(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = start_door("serve", compiled_folder, tmp_path_factory.mktemp("predict"))
    yield server
    server.stop()


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, compiled_folder: Path
) -> Run:
    return runner(capfd, monkeypatch, compiled_folder)


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_input(kind: str, folder: Path) -> Path:
    """TEXTS in the column `review`, in a file of that kind."""
    path = folder / f"reviews.{kind}"
    if kind == "jsonl":
        return write_jsonl(path, [{"id": 1, "review": text} for text in TEXTS])
    if kind == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["id", "review"], *([1, text] for text in TEXTS)])
        return path
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"id": [1] * len(TEXTS), "review": TEXTS})
    pyarrow.parquet.write_table(table, path)
    return path


# Where texts come from, and what is written of them.


def test_arguments_are_answered_in_their_order(run: Run) -> None:
    status, out, err = run(*TEXTS)
    answers = parsed(out)
    assert (status, err) == (0, "")
    assert [answer["text"] for answer in answers] == TEXTS
    assert list(answers[0]) == ["text", "sentiment", "confidence", "model_version"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_column_of_a_file_is_answered(run: Run, tmp_path: Path, kind: str) -> None:
    path = write_input(kind, tmp_path)
    assert run("--input", path, "--column", "review") == run(*TEXTS)


def test_answers_are_those_of_the_service(run: Run, server: LiveServer) -> None:
    rows = [*TEXTS, " ", "a" * 10_001]
    here, there = run("--scores", *rows), run("--scores", "--url", server.url, *rows)
    assert here == there
    assert here[0] == predict.ERRORS
    answer = server.request("/predict", {"text": TEXTS[0], "return_scores": True}).json
    assert parsed(here[1])[0] == answer


def test_csv_has_a_column_for_each_score(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "answers.csv"
    status, _, err = run("--scores", "--output", output, *TEXTS, " ")
    with output.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert status == predict.ERRORS and "1 of 5 rows" in err
    assert [row["text"] for row in rows] == [*TEXTS, ""]
    assert rows[4]["error"] == "/text: the text is blank"
    scores = {name: float(value) for name, value in rows[0].items() if name.startswith("score_")}
    assert sum(scores.values()) == pytest.approx(1)
    assert scores[f"score_{rows[0]['sentiment']}"] == float(rows[0]["confidence"])


def test_a_table_moves_no_cursor(run: Run) -> None:
    status, out, _ = run("--format", "table", "fine\x1b[2J\nindeed", "b" * 500)
    head, first, second = out.splitlines()
    assert status == 0 and head.split() == ["sentiment", "confidence", "text"]
    assert "\x1b" not in out and first.endswith("fine [2J indeed") and second.endswith("…")


def test_stdin_is_answered_while_it_comes(compiled_folder: Path) -> None:
    environ = {**clean_environ(), "COMPILED_MODEL": str(compiled_folder)}
    command = [*COMMAND, "--jobs", "2"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        for text in ("amazing", "terrible", ""):
            process.stdin.write(text.encode() + b"\n")
            process.stdin.flush()
            assert text in process.stdout.readline().decode()
        process.stdin.close()
        assert process.wait(10) == predict.ERRORS


# Rows that cannot be answered.


@pytest.mark.parametrize("with_url", [False, True])
def test_an_error_stands_in_its_place(
    run: Run, server: LiveServer, tmp_path: Path, with_url: bool
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        *(
            b'{"text": "a"}',
            b"nonsense",
            b'{"txt": 1}',
            b"\xff",
            b"",
            b'{"text": "\\ud800"}',
            b'"b"',
        ),
        *(b'{"text": "%s"}' % (b"a" * 200_000), b'{"text": "fine"}'),
    ]
    path.write_bytes(b"\n".join(rows))
    url = ["--url", server.url] if with_url else []
    status, out, err = run(*url, "--input", path)
    found = parsed(out)
    assert status == predict.ERRORS and "7 of 9 rows have errors" in err
    assert [line.get("line") for line in found] == [None, 2, 3, 4, 5, 6, 7, 8, None]
    statuses = [line["error"]["status"] for line in found[1:-1]]
    assert statuses == [400, 422, 400, 400, 422, 422, 413]


def test_rows_of_csv_are_answered_as_the_service_does(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid,text\r\n1,"amazing,\r\nreally"\r\n\r\n2\r\n3,\xff\r\n4,"x"y\n5,z'
    )
    status, out, _ = run("--input", path)
    found = parsed(out)
    assert status == predict.ERRORS
    assert [line.get("text") for line in found] == ["amazing,\r\nreally", None, None, None, "z"]
    assert [line["error"]["status"] for line in found[1:4]] == [422, 400, 400]


def test_null_in_parquet_is_an_error_in_its_place(run: Run, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", None, "b"]}), path)
    status, out, _ = run("--input", path)
    assert status == predict.ERRORS
    assert [line.get("line") for line in parsed(out)] == [None, 2, None]


# Many.


@pytest.mark.parametrize("with_url", [False, True])
def test_order_is_kept_by_many_processes_and_on_the_wire(
    run: Run, server: LiveServer, tmp_path: Path, with_url: bool
) -> None:
    texts = [f"{'amazing ' * (number % 90)}{number}" for number in range(20_000)]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts))
    engine = ["--url", server.url] if with_url else ["--jobs", "3"]
    status, out, _ = run(*engine, "--input", path)
    assert status == 0
    assert [answer["text"] for answer in parsed(out)] == texts


def test_a_process_that_is_killed_ends_the_run_in_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from function.predicting.local import Answering

    answer = Answering.part

    def part(self: Answering, chunk: chunks.Chunk) -> chunks.Part:
        if chunk.first > 5000:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer(self, chunk)

    monkeypatch.setattr(Answering, "part", part)
    path, output = tmp_path / "texts.txt", tmp_path / "answers.jsonl"
    path.write_text("fine\n" * 20_000)
    status, _, err = run("--jobs", "2", "--input", path, "--output", output)
    assert status == predict.UNAVAILABLE
    assert "ended by signal 9" in err and "--resume" in err
    assert len(parsed(output.read_text())) == 5000


# Going on.


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("left", [0, 1, 700, 4000])
def test_resume_goes_on_after_the_last_whole_answer(
    run: Run, tmp_path: Path, kind: str, left: int
) -> None:
    texts = [f'number "{number}"\nfine' if number % 7 else " " for number in range(1500)]
    path = write_jsonl(tmp_path / "texts.jsonl", [{"text": text} for text in texts])
    whole, output = tmp_path / f"whole.{kind}", tmp_path / f"answers.{kind}"
    assert run("--input", path, "--output", whole)[0] == predict.ERRORS
    output.write_bytes(whole.read_bytes()[:left])
    status, _, err = run("--input", path, "--output", output, "--resume")
    assert status == predict.ERRORS and "215 of 1,500 rows have errors" in err
    assert output.read_bytes() == whole.read_bytes()
    assert run("--input", path, "--output", output, "--resume")[0] == predict.ERRORS
    assert output.read_bytes() == whole.read_bytes()


def test_resume_refuses_the_output_of_another_input(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "answers.jsonl"
    assert run("--output", output, "a", "b")[0] == 0
    before = output.read_bytes()
    for others in (["a", "c", "d"], ["a"]):
        status, _, err = run("--output", output, "--resume", *others)
        assert status == predict.USAGE and "not of this input" in err
        assert output.read_bytes() == before


def test_an_output_that_is_there_is_not_written_over(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "answers.jsonl"
    output.write_text("precious\n")
    for more in ([], ["--resume"]):
        status, _, err = run("--output", output, *more, "a")
        assert status == predict.USAGE and str(output) in err
        assert output.read_text() == "precious\n"


def test_who_reads_no_further_ends_it_without_a_word(compiled_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("fine\n" * 200_000)
    command = f"{' '.join(COMMAND)} --compiled {compiled_folder} --input {path}"
    ended = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        env=clean_environ(),
        capture_output=True,
    )
    assert ended.returncode == predict.BROKEN_PIPE
    assert len(parsed(ended.stdout.decode())) == 1 and ended.stderr == b""


def test_an_interrupt_leaves_whole_lines_and_says_how_to_go_on(
    compiled_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "answers.jsonl"
    command = [*COMMAND, "--compiled", str(compiled_folder), "--output", str(output)]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environ(), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stderr
        process.stdin.write(b"fine\n" * 3000 + b"not whole")
        process.stdin.flush()
        while not (output.exists() and output.read_bytes().count(b"\n") == 3000):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == predict.INTERRUPTED
        told = process.stderr.read().decode()
    assert "3,000 more rows" in told and "--resume" in told and "Traceback" not in told
    assert len(parsed(output.read_text())) == 3000


# Why.


@pytest.mark.parametrize("more", [[], ["--scores"]])
def test_the_words_that_decided_stand_beside_the_answer(run: Run, more: list[str]) -> None:
    explain = ["--explain", "--top", "2", TEXTS[0], "terrible", *more]
    status, out, _ = run(*explain)
    answers = parsed(out)
    assert status == 0
    assert [a["explanation"]["terms"][0]["term"] for a in answers] == ["amazing", "terrible"]
    assert len(answers[0]["explanation"]["terms"]) == 2
    assert answers[0]["explanation"]["label"] == answers[0]["sentiment"]
    assert ("scores" in answers[0]) == bool(more)
    assert run(*explain, "--jobs", "2")[1] == out
    assert "amazing +" in run(*explain, "--format", "table")[1]


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_a_model_without_a_score_for_a_label_says_so_before_it_answers(
    run: Run, tmp_path: Path
) -> None:
    save(tmp_path / "voting", translate(fit(Case("voting-soft", "tfidf", 3))), {})
    status, out, told = run("--compiled", str(tmp_path / "voting"), "--explain", *TEXTS)
    assert (status, out) == (predict.UNAVAILABLE, "")
    assert "--explain: " in told and "its members decide by themselves" in told


def test_a_text_that_has_no_explanation_is_one_row_that_says_so(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "hashed", translate(fit(Case("logistic", "hashing-crowded", 2))), {})
    crowded = " ".join(map(str, range(10, 90)))  # more terms than columns
    status, out, told = run("--compiled", str(tmp_path / "hashed"), "--explain", "good", crowded)
    first, second = parsed(out)
    assert status == predict.ERRORS and "Traceback" not in told
    assert first["explanation"]["terms"][0]["term"] == "good"
    assert second["error"]["status"] == 501 and "same hash" in second["error"]["detail"]


# The command line.


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--input", "x.csv", "text"], "not both"),
        (["--resume", "text"], "--output FILE"),
        (["--url", "http://x", "--jobs", "2", "text"], "--jobs"),
        (["--jobs", "0", "text"], "from 1"),
        (["--key", "x", "text"], "--url"),
        (["--explain", "--scores", "--url", "http://x", "text"], "without --scores"),
        (["--top", "3", "text"], "--explain"),
        (["--url", "ftp://x", "text"], "http(s)"),
        (["--url", "http://me:secret@x", "text"], "--key"),
        (["--input", "nowhere.csv"], "No such file"),
        (["--model", "models:/a@b", "--compiled", "x", "text"], "not allowed with"),
        (["--input", "-", "--input-format", "parquet"], "stdin"),
        (["--output", "nowhere/answers.csv", "text"], "No such file"),
    ],
)
def test_what_makes_no_sense_is_status_2_and_said(
    run: Run, arguments: list[str], told: str
) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (predict.USAGE, "")
    assert told in err.splitlines()[-1] and "secret" not in err


def test_a_column_that_is_not_there_is_said_with_those_that_are(run: Run, tmp_path: Path) -> None:
    for kind in ("csv", "parquet"):
        path = write_input(kind, tmp_path)
        for column in ([], ["--column", "reviews"]):
            status, _, err = run("--input", path, *column)
            assert status == predict.USAGE and "'id', 'review'" in err


def test_parquet_without_pyarrow_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input("parquet", tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, err = run("--input", path)
    assert status == predict.USAGE and "pip install pyarrow" in err


def test_help_imports_little_and_names_every_exit_status() -> None:
    script = (
        "import sys\nfrom function import predict\n"
        "try: predict.main(['--help'])\nexcept SystemExit: pass\n"
        "print('modules', *sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told, _, modules = ended.stdout.rpartition("modules ")
    heavy = {"json", "csv", "http.client", "function.settings", "pandas", "numpy"}
    assert not heavy & set(modules.split())
    assert "examples:" in told
    statuses = [int(line.split()[0]) for line in told.splitlines() if line[:3].strip().isdigit()]
    assert statuses or all(f"\n  {status}" in told for status in (0, 1, 2, 3, 130, 141))


def test_a_model_of_the_registry_is_asked(run: Run, registry: Any, monkeypatch: Any) -> None:
    for name, value in registry.environ.items():
        monkeypatch.setenv(name, value)
    status, out, _ = run("--model", registry.environ["MODEL_URI"], "amazing")
    assert status == 0 and parsed(out)[0]["text"] == "amazing"
