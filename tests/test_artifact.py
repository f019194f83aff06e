"""A compiled model on disk comes back the same, or not at all and with the reason."""

import io
import json
import math
import subprocess
import sys
from array import array
from hashlib import sha256
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from function.compiled.artifact import load
from function.compiled.files import CompiledModelError
from function.compiled.formats import format_of
from function.compiled.vectorizer import row_layout
from function.compiled.writing import save
from function.compiler.compiler import translate
from function.errors import ModelLoadError
from tests.damage import check_flipped, resum
from tests.fitted_models import TEXTS, TYPICAL, Combination, fitted_pipeline, random_text

pytestmark = pytest.mark.usefixtures("way")
LINEAGE = {"model_uri": "models:/m/1", "version": "1", "metrics": {"f1": 0.9}, "tags": ["ä", None]}
SAVED = [c for c in TYPICAL if c.vectorizer in ("tfidf", "union")]


@pytest.fixture(scope="module")
def predictor(way):
    return translate(fitted_pipeline(TfidfVectorizer(ngram_range=(1, 2))))


@pytest.fixture
def saved(predictor, tmp_path):
    save(tmp_path / "model", predictor, LINEAGE)
    return tmp_path / "model"


def edit_manifest(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}, indent=1))


@pytest.mark.parametrize("combination", SAVED, ids=str)
def test_what_is_loaded_answers_as_what_was_saved(fitted, combination, tmp_path, rng):
    before = translate(fitted(combination))
    save(tmp_path / "model", before, LINEAGE)
    after, lineage = load(tmp_path / "model")
    texts = ["", *TEXTS, *(random_text(rng) for _ in range(50))]
    assert after.predict(texts) == before.predict(texts)
    assert lineage == LINEAGE
    assert (after.labels, after.terms) == (before.labels, before.terms)


@pytest.mark.parametrize("characters", ["\n\0 ab", "\ud800\udfff\x85x", "👍e\u0301\r\n"])
def test_terms_of_any_character_come_back(characters, tmp_path):
    vectorizer = CountVectorizer(analyzer="char", ngram_range=(1, 2), lowercase=False)
    model = fitted_pipeline(vectorizer, None, [characters, characters[::-1]], ["a", "b"])
    before = translate(model)
    save(tmp_path / "model", before, {})
    after = load(tmp_path / "model")[0]
    assert after.vectorizers[0].vocabulary.terms() == before.vectorizers[0].vocabulary.terms()
    assert after.predict([characters]) == before.predict([characters])


def test_sha256sum_itself_can_check_the_folder(saved):
    run = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=saved, capture_output=True)
    assert run.returncode == 0, run.stderr


def test_the_digest_is_that_of_the_checksums(predictor, tmp_path):
    digest = save(tmp_path / "model", predictor, LINEAGE)
    assert digest == sha256((tmp_path / "model" / "SHA256SUMS").read_bytes()).hexdigest()
    assert digest == save(tmp_path / "again", predictor, LINEAGE)


FILES = ("SHA256SUMS", "manifest.json", "vectorizer.0")


def test_these_are_all_the_files(saved):
    assert sorted(path.name for path in saved.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(CompiledModelError, match=rf"{name}: no such file; compile the model again"):
        load(saved)


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_byte_is_refused(saved, name):
    content = (saved / name).read_bytes()
    for position in range(0, len(content), max(1, len(content) // 150)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        (saved / name).write_bytes(flipped)
        with pytest.raises(CompiledModelError, match=r"; compile the model"):
            load(saved)
    (saved / name).write_bytes(content)
    load(saved)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved, name, kept):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CompiledModelError, match=r"; compile the model again"):
        load(saved)


def test_an_edited_manifest_is_refused_by_name(saved):
    edit_manifest(saved, labels=["positive", "neutral", "negative"])
    with pytest.raises(CompiledModelError, match=r"manifest\.json: its content is not what SHA256"):
        load(saved)


def test_a_newer_format_says_so_even_where_the_sums_are_wrong(saved):
    edit_manifest(saved, format=7)
    for prepare in (lambda: None, lambda: resum(saved)):
        prepare()
        with pytest.raises(
            CompiledModelError, match="format 7, and this version reads 2, 3, 4, 5 and 6"
        ):
            load(saved)


def as_format_2(folder):
    """Rewrite a saved folder as versions before format 3 did."""
    facts = json.loads((folder / "manifest.json").read_text())
    for position, spec in enumerate(facts["vectorizers"]):
        content = io.BytesIO((folder / f"vectorizer.{position}").read_bytes())
        for part, size in spec.pop("sizes").items():
            (folder / f"{part}.{position}").write_bytes(content.read(size))
        (folder / f"vectorizer.{position}").unlink()
    edit_manifest(folder, format=2, vectorizers=facts["vectorizers"])
    resum(folder)


@pytest.mark.parametrize("combination", SAVED[::7], ids=str)
def test_folders_of_format_2_are_still_read(fitted, combination, tmp_path):
    before = translate(fitted(combination))
    save(tmp_path / "model", before, LINEAGE)
    as_format_2(tmp_path / "model")
    assert load(tmp_path / "model")[0].predict(TEXTS) == before.predict(TEXTS)


def test_a_part_of_a_folder_of_format_2_that_was_cut_short_is_refused(saved):
    as_format_2(saved)
    (saved / "rows.0").write_bytes((saved / "rows.0").read_bytes()[:-1])
    with pytest.raises(
        CompiledModelError, match=r"rows\.0: its content is not what SHA256SUMS says"
    ):
        load(saved)
    resum(saved)
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(saved)


@pytest.mark.parametrize(
    ("format", "where", "what"),
    [
        (3, "", {}),
        (4, "", {"trees": 100}),
        (4, "decision", {"kind": "votes"}),
        (4, "vectorizer", {"vocabulary": "hashed"}),
        (4, "vectorizer", {"hashing": None}),
        (4, "analyzer", {"methods": ["strip"]}),
        (5, "vectorizer", {"functions": []}),
        (6, "vectorizer", {"functions": [], "vocabulary": "numbers"}),
    ],
)
def test_a_folder_is_of_the_oldest_format_that_can_say_what_is_in_it(saved, format, where, what):
    facts = json.loads((saved / "manifest.json").read_text())
    vectorizer = facts["vectorizers"][0]
    places = {"": facts, "vectorizer": vectorizer, "analyzer": vectorizer["analyzer"]}
    {**places, "decision": facts["decision"]}[where].update(what)
    assert format_of(facts) == format


SWAP = {"negative": "positive", "positive": "negative"}


@pytest.mark.parametrize(
    ("compiled", "served", "shown"),
    [
        ({}, {}, ("negative", "neutral", "positive")),
        (SWAP, {}, ("positive", "neutral", "negative")),
        ({}, SWAP, ("positive", "neutral", "negative")),
        (SWAP, SWAP, ("positive", "neutral", "negative")),
        (SWAP, {"neutral": "so-so"}, ("negative", "so-so", "positive")),
        ({"negative": "-"}, {"negative": "bad"}, ("bad", "neutral", "positive")),
    ],
)
def test_labels_name_the_models_own_classes_once(pipeline, tmp_path, compiled, served, shown):
    save(tmp_path / "model", translate(pipeline, labels=compiled), {})
    predictor, _ = load(tmp_path / "model", served)
    assert predictor.labels == shown
    assert predictor.classes == ("negative", "neutral", "positive")
    same = dict(zip(shown, predictor.classes, strict=True))
    plain = [answer.label for answer in translate(pipeline).predict(TEXTS)]
    assert [same[answer.label] for answer in predictor.predict(TEXTS)] == plain


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        ({"neutral": "negative"}, "two of the model's classes one name"),
        ({"-": "bad"}, "the model's classes are negative, neutral, positive"),
    ],
)
def test_labels_that_do_not_fit_a_folder_are_an_error(pipeline, tmp_path, served, reason):
    save(tmp_path / "model", translate(pipeline, labels={"negative": "-"}), {})
    with pytest.raises(ModelLoadError, match=reason):
        load(tmp_path / "model", served)


def test_a_folder_of_before_classes_were_kept_is_served(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    del manifest["classes"]
    (saved / "manifest.json").write_text(json.dumps(manifest))
    resum(saved)
    assert load(saved, {"negative": "bad"})[0].labels == ("bad", "neutral", "positive")


def test_another_byte_order_is_refused(saved):
    edit_manifest(saved, byte_order="middle")
    with pytest.raises(CompiledModelError, match="middle-endian"):
        load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"vectorizers": []},
        {"vectorizers": [{}]},
        {"vectorizers": 3},
        {"intercepts": [0.0]},
        {"intercepts": None},
        {"decision": {"kind": "oracle"}},
        {"decision": {}},
        {"labels": None},
        {"intercepts": "abc"},
        {"intercepts": [None] * 3},
    ],
    ids=str,
)
def test_a_manifest_that_describes_no_model_is_refused(saved, changes):
    edit_manifest(saved, **changes)
    resum(saved)
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(saved)


def edit_vectorizer(folder, **changes):
    (first,) = json.loads((folder / "manifest.json").read_text())["vectorizers"]
    changes = {"analyzer": {**first["analyzer"], **changes.pop("analyzer", {})}, **changes}
    edit_manifest(folder, vectorizers=[{**first, **changes}])
    resum(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["a", "a", "b"]},
        {"labels": [0, 1, 2]},
        {"labels": "abc"},
        {"labels": ["a", "b", "\ud800"]},
        {"labels": ["a", "b"]},
        {"classes": ["a", "b"]},
        {"classes": [False, True, None]},
        {"intercepts": [0.0, 0.0, True]},
        {"intercepts": [0.0, 0.0, 1e307]},
        {"intercepts": [0.0, 0.0, "0"]},
        {"intercepts": [0.0, 0.0, 10**400]},
        {"binarize": "0"},
        {"binarize": [0.5]},
        {"decision": ["softmax"]},
        {"decision": {"kind": "constant"}},
        {"decision": {"kind": "one_vs_rest", "link": "logistic", "all_zero": "some"}},
        {"decision": {"kind": "one_vs_rest", "link": "cubic", "all_zero": "zero"}},
        {"decision": {"kind": ["softmax"]}},
        {"lineage": None},
        {"lineage": {"version": 3}},
        {"lineage": {"aliases": "champion"}},
        {"lineage": {"details": []}},
        {"vectorizers": [None]},
    ],
    ids=str,
)
def test_a_field_of_another_type_or_out_of_range_is_refused(saved, changes):
    edit_manifest(saved, **changes)
    resum(saved)
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": {}},
        {"sizes": [1, 2, 3, 4]},
        {"sizes": {"terms": -1}},
        {"columns": -1},
        {"columns": 3.0},
        {"columns": True},
        {"norm": "max"},
        {"norm": "l1"},
        {"scale": "1"},
        {"scale": None},
        {"scale": 1e301},
        {"binary": 1},
        {"sublinear": "no"},
        {"units": [1e-15, True]},
        {"units": [1.0, 1e-300]},
        {"terms": []},
        {"terms": {"separator": "x"}},
        {"vocabulary": "words"},
        {"vocabulary": "terms"},
        {"analyzer": {"analyzer": "char"}},
        {"analyzer": {"analyzer": "sentence"}},
        {"analyzer": {"ngram_range": [1, 3]}},
        {"analyzer": {"ngram_range": [1]}},
        {"analyzer": {"ngram_range": ["1", "2"]}},
        {"analyzer": {"lowercase": None}},
        {"analyzer": {"strip_accents": True}},
        {"analyzer": {"stop_words": "the"}},
        {"analyzer": {"stop_words": [1]}},
        {"analyzer": {"token_pattern": 3}},
        {"analyzer": {"token_pattern": r"\S+"}},
        {"analyzer": {"methods": ["encode"]}},
        {"analyzer": {"methods": "strip"}},
        {"analyzer": {"methods": []}},
    ],
    ids=str,
)
def test_a_vectorizer_of_another_type_or_out_of_range_is_refused(saved, changes):
    edit_vectorizer(saved, **changes)
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(saved)


@pytest.mark.parametrize("pattern", [r"(\w)(\w+)", r"(\w+"])
def test_a_token_pattern_that_finds_no_words_is_refused(tmp_path, pattern):
    model = fitted_pipeline(TfidfVectorizer(token_pattern=r"\w+\b"))
    save(tmp_path / "model", translate(model), {})
    edit_vectorizer(tmp_path / "model", analyzer={"token_pattern": pattern})
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(tmp_path / "model")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["intercepts", "lineage"])
def test_numbers_that_json_has_not_are_refused_anywhere(saved, field, number):
    text = (saved / "manifest.json").read_text()
    before = "0.9" if field == "lineage" else str(json.loads(text)[field][0])
    assert before in text
    (saved / "manifest.json").write_text(text.replace(before, number))
    resum(saved)
    with pytest.raises(CompiledModelError, match=r"it is not JSON \(.* is not a finite number\)"):
        load(saved)


def parts_of(folder):
    (spec,) = json.loads((folder / "manifest.json").read_text())["vectorizers"]
    content = io.BytesIO((folder / "vectorizer.0").read_bytes())
    return {part: content.read(size) for part, size in spec["sizes"].items()}


def write_parts(folder, parts):
    (folder / "vectorizer.0").write_bytes(b"".join(parts.values()))
    resum(folder)


@pytest.mark.parametrize("changes", [1, -1, 10**15])
@pytest.mark.parametrize("part", ["terms", "pairs", "rows", "table"])
def test_sizes_that_are_not_the_parts_are_refused(saved, part, changes):
    (spec,) = json.loads((saved / "manifest.json").read_text())["vectorizers"]
    sizes = {**spec["sizes"], part: spec["sizes"][part] + changes}
    edit_vectorizer(saved, sizes=sizes)
    with pytest.raises(CompiledModelError, match="sizes"):
        load(saved)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e305])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_table_of_numbers_that_do_not_add_up_is_refused(saved, place, number):
    parts = parts_of(saved)
    table = array("d", parts["table"])
    table[place] = number
    write_parts(saved, {**parts, "table": table.tobytes()})
    with pytest.raises(CompiledModelError, match="not finite, or too large to add up"):
        load(saved)


@pytest.mark.parametrize("vectorizer", ["tfidf", "tfidf-char", "tfidf-l1", "count"])
@pytest.mark.parametrize("edit", ["column", "square", "score", "count"])
def test_rows_that_no_term_can_have_are_refused(fitted, tmp_path, vectorizer, edit):
    save(tmp_path / "model", translate(fitted(Combination(vectorizer, "logistic", 3))), {})
    parts = parts_of(tmp_path / "model")
    rows = bytearray(parts["rows"])
    (spec,) = json.loads((tmp_path / "model" / "manifest.json").read_text())["vectorizers"]
    size = row_layout(3, spec["norm"], spec["units"] is not None).row_bytes
    if size < 30 and edit in ("square", "score"):
        pytest.skip("there are none in its rows")
    at = {"column": 2, "square": 11, "score": -2, "count": -1}[edit]
    for row in (0, len(rows) // size - 1):  # a word's, and a pair's if there are any
        edited = rows.copy()
        edited[row * size + at % size] ^= 0x40
        write_parts(tmp_path / "model", {**parts, "rows": bytes(edited)})
        with pytest.raises(CompiledModelError, match="a row"):
            load(tmp_path / "model")


CALIBRATORS = [
    {"kind": "sigmoid", "a": "1", "b": 0.0},
    {"kind": "sigmoid", "a": 1.0, "b": None},
    {"kind": "isotonic", "x": [], "y": []},
    {"kind": "isotonic", "x": [0.0, 1.0], "y": [0.0]},
    {"kind": "isotonic", "x": [1.0, 0.0], "y": [0.0, 1.0]},
    {"kind": "isotonic", "x": [0.0, 1.0], "y": [0.0, 1.5]},
    {"kind": "isotonic", "x": [0.0, 1.0], "y": [-0.5, 1.0]},
    {"kind": "isotonic", "x": [0.0, "1"], "y": [0.0, 1.0]},
    {"kind": "step", "x": [0.0, 1.0], "y": [0.0, 1.0]},
]
MEMBERS = [
    {"columns": [0, 2]},
    {"columns": [1, 1]},
    {"columns": [-1, 0]},
    {"columns": [2, 3]},
    {"columns": ["0", "1"]},
    {"response": "shrug"},
    {"response": "naive_bayes"},
    {"calibrators": []},
    *({"calibrators": [calibrator]} for calibrator in CALIBRATORS),
]


@pytest.mark.parametrize("changes", MEMBERS, ids=str)
def test_a_calibration_that_gives_no_probabilities_is_refused(fitted, tmp_path, changes):
    predictor = translate(fitted(Combination("tfidf", "calibrated-together", 2)))
    save(tmp_path / "model", predictor, {})
    (member,) = predictor.decision["members"]
    edit_manifest(
        tmp_path / "model", decision={**predictor.decision, "members": [{**member, **changes}]}
    )
    resum(tmp_path / "model")
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(tmp_path / "model")


FUZZED = [
    Combination("tfidf", "logistic", 3),
    Combination("tfidf-no-norm", "multinomial", 2),
    Combination("union", "calibrated-isotonic", 3),
    Combination("count", "one-vs-rest-huber", 3),
]


@pytest.mark.parametrize("combination", FUZZED, ids=str)
def test_whatever_still_loads_gives_probabilities(fitted, combination, tmp_path, rng):
    texts = ["", "good", "the the the " * 50, *TEXTS[:20]]
    save(tmp_path / "model", translate(fitted(combination)), LINEAGE)
    check_flipped(tmp_path / "model", texts, rng)


@pytest.mark.parametrize("units", [[0, 0], [1e-15, 0], [1, 10**400], "x", [1]])
def test_units_that_mean_nothing_are_refused(saved, units):
    manifest = json.loads((saved / "manifest.json").read_text())
    edit_manifest(saved, vectorizers=[{**manifest["vectorizers"][0], "units": units}])
    resum(saved)
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(saved)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"kind": "other"}', "\xff", pytest.param("[" * 99_999, id="deep")]
)
def test_other_json_is_not_a_compiled_model(saved, content):
    (saved / "manifest.json").write_text(content, encoding="latin-1")
    with pytest.raises(CompiledModelError, match=r"manifest\.json: it is not"):
        load(saved)


def test_no_folder_at_all_is_an_error_with_its_path(tmp_path):
    with pytest.raises(CompiledModelError, match=r"nowhere/manifest\.json: no such file"):
        load(tmp_path / "nowhere")


def test_files_of_two_models_do_not_mix(saved, tmp_path):
    other = fitted_pipeline()
    save(tmp_path / "other", translate(other), LINEAGE)
    (saved / "vectorizer.0").write_bytes((tmp_path / "other" / "vectorizer.0").read_bytes())
    with pytest.raises(CompiledModelError, match=r"vectorizer\.0: its content is not what"):
        load(saved)


def test_saving_replaces_an_older_compiled_model(saved, tmp_path):
    other = translate(fitted_pipeline())
    save(saved, other, {})
    assert load(saved)[0].terms == other.terms
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_saving_into_an_empty_folder_and_making_its_parents(predictor, tmp_path):
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty", predictor, {})
    save(str(tmp_path / "a" / "b"), predictor, {})
    assert load(tmp_path / "empty")[0].terms == load(tmp_path / "a" / "b")[0].terms


def test_saving_over_anything_else_is_refused_and_touches_nothing(predictor, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("years")
    with pytest.raises(CompiledModelError, match="home: holds something other"):
        save(tmp_path / "home", predictor, {})
    with pytest.raises(CompiledModelError, match="file: not a folder"):
        save(tmp_path / "file", predictor, {})
    assert (tmp_path / "home" / "thesis.txt").read_text() == "years"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home"]


def test_a_lineage_that_is_not_json_leaves_no_folder(predictor, tmp_path):
    with pytest.raises(TypeError):
        save(tmp_path / "model", predictor, {"at": object()})
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_what_was_saved(saved):
    assert saved.stat().st_mode & 0o755 == 0o755


def test_serving_needs_nothing_beyond_the_standard_library(saved):
    script = f"""
import sys
from function.compiled.artifact import load
predictor, lineage = load({str(saved)!r})
print(predictor.predict(["good, not bad"])[0].label)
assert "unicodedata" not in sys.modules and "pickle" not in sys.modules
"""
    # -S: not even a way to site-packages
    root = Path(__file__).parent.parent
    run = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(root)!r})\n{script}",
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() in ("positive", "negative", "neutral")
