"""Bodies of lines, without a socket: however they arrive, the same lines are read."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.errors import ServiceError
from function.http.bulk import lines_of
from function.protocols.lines import Asked, Line, is_lines
from function.settings import Settings

SETTINGS = Settings(max_text_length=40, max_line_bytes=120)
NDJSON = "application/x-ndjson"
GOOD = b'{"text": "fine"}'


def read(content_type: str, parts: list[bytes], at_a_time: int = 50) -> list[Line]:
    """What is read of a body that arrives in these parts."""
    lines = lines_of(content_type, SETTINGS)
    found: list[Line] = []
    for part in parts:
        lines.add(part)
        found += lines.take(at_a_time)
    lines.end()
    while some := lines.take(at_a_time):
        found += some
    return found


def shown(lines: list[Line]) -> list[str | int]:
    """The texts, and the status where there is none."""
    return [line.text if isinstance(line, Asked) else line.status for line in lines]


LINES: list[tuple[bytes, list[str | int]]] = [
    (b"", []),
    (GOOD, ["fine"]),
    (GOOD + b"\n", ["fine"]),
    (GOOD + b"\r\n" + GOOD, ["fine", "fine"]),
    (GOOD + b"\n\n" + GOOD, ["fine", 400, "fine"]),
    (b"  " + GOOD + b" \n", ["fine"]),
    (b"nonsense\n" + GOOD, [400, "fine"]),
    (b'{"text": "fine"} {"text": "fine"}\n', [400]),
    (b'{"text": 1}\n{"text": " "}\n{"txt": "a"}\n[]\n', [422, 422, 422, 422]),
    (b'{"text": "%s"}\n' % (b"a" * 41) + GOOD, [422, "fine"]),
    (b'{"text": "%s"}\n' % (b"a" * 200) + GOOD, [413, "fine"]),
    (b"a" * 1000, [413]),
    (b'{"text": "\xff"}\n{"text": "\\ud800"}\n' + GOOD, [400, 422, "fine"]),
    ('{"text": "crème 🍮"}'.encode(), ["crème 🍮"]),
    (b'{"text": NaN}\n' + GOOD, [400, "fine"]),
]


@pytest.mark.parametrize(("body", "expected"), LINES)
def test_each_line_is_read_or_has_its_error(body: bytes, expected: list[str | int]) -> None:
    assert shown(read(NDJSON, [body])) == expected
    assert shown(read(NDJSON, [body[i : i + 1] for i in range(len(body))])) == expected


def test_a_line_may_ask_for_scores() -> None:
    (line,) = read(NDJSON, [b'{"text": "a", "return_scores": true}'])
    assert line == Asked("a", True)


ROWS: list[tuple[str, bytes, list[str | int]]] = [
    ("text/csv", b"text\nfine\nbad\n", ["fine", "bad"]),
    ("text/csv", b"\xef\xbb\xbftext\r\nfine\r\n", ["fine"]),
    ("text/csv", b"anything\nfine\n", ["fine"]),
    ("text/csv; header=present", b"id,text\n1,fine\n2,bad", ["fine", "bad"]),
    ("text/csv; header=absent", b"fine\nbad\n", ["fine", "bad"]),
    ("text/csv; charset=utf-8; header=absent", b"fine\n\nbad\n", ["fine", "bad"]),
    ("text/csv", b'text\n"two\nlines, a ""quote"""\nbad\n', ['two\nlines, a "quote"', "bad"]),
    ("text/csv", b"id,text\n1\n2,fine\n3,a,b\n", [422, "fine", 422]),
    ("text/csv", b'id,text\n1," "\n2,fine\n', [422, "fine"]),
    ("text/csv", b"text\n\xff\nfine\n", [400, "fine"]),
    ("text/csv", b'text\n"open\nfine\nbad\n', [400, "fine", "bad"]),
    ("text/csv", b'text\n"open\n' + b"fine\n" * 40 + b"bad\n", [400, *["fine"] * 40, "bad"]),
    ("text/csv", b'text\n"open\n' + b"a" * 130 + b"\nfine\n", [400, 413, "fine"]),
    ("text/csv", b"text\n%s\nfine\n" % (b"a" * 41), [422, "fine"]),
    ("text/csv", b'text\n"a"b\nfine\n', [400, "fine"]),
    ("text/csv", b"", []),
    ("text/csv", b"text\n", []),
]


@pytest.mark.parametrize(("content_type", "body", "expected"), ROWS)
def test_each_row_is_read_or_has_its_error(
    content_type: str, body: bytes, expected: list[str | int]
) -> None:
    assert shown(read(content_type, [body])) == expected
    assert shown(read(content_type, [body[i : i + 1] for i in range(len(body))])) == expected


@pytest.mark.parametrize("header", [b"a,b\n", b"text,text\n", b'"text\n', b"\xff\n"])
def test_rows_without_a_column_of_texts_are_refused_as_a_whole(header: bytes) -> None:
    with pytest.raises(ServiceError):
        read("text/csv", [header + b"1,2\n"])


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=8)


@given(TEXTS, st.lists(st.integers(1, 60), min_size=1, max_size=20), st.integers(1, 200))
def test_how_a_body_is_cut_changes_nothing(texts: list[str], cuts: list[int], some: int) -> None:
    bodies: list[tuple[str, Any]] = [
        (NDJSON, "".join(f"{json.dumps({'text': t})}\n" for t in texts))
    ]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([["n", "text"], *(["1", t] for t in texts)])
    bodies.append(("text/csv", written.getvalue()))
    for content_type, text in bodies:
        body = text.encode()
        parts, at = [], 0
        while at < len(body):
            parts.append(body[at : at + cuts[len(parts) % len(cuts)]])
            at += len(parts[-1])
        assert shown(read(content_type, parts, some)) == shown(read(content_type, [body]))


@given(TEXTS)
def test_rows_are_read_as_the_csv_module_wrote_them(texts: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([["n", "text"], *(["1", text] for text in texts)])
    found = shown(read("text/csv", [written.getvalue().encode()]))
    whole = [text if text.strip() else 422 for text in texts]
    fits = [len(text.encode()) < 50 for text in texts]
    assert [one for one, does in zip(found, fits, strict=True) if does] == [
        one for one, does in zip(whole, fits, strict=True) if does
    ]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/x-ndjson", True),
        ("Application/X-NDJSON ; charset=utf-8", True),
        ("application/jsonl", True),
        ("text/csv;header=absent", True),
        ("application/json", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_lines_are_known_by_their_content_type(content_type: str, expected: bool) -> None:
    assert is_lines(content_type) is expected
