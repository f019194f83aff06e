"""The texts of the benchmark: labelled sentences to train on, unseen ones to ask about.

Everything is generated from a seed, so two machines measure the same model. Sentences are templates
people could have written, filled from a vocabulary whose frequencies follow Zipf's law: a few words
everywhere, most words rare, as in real text. Only that tail gives the vectorizer a realistically
large vocabulary and real misses on unseen text.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Labelled = tuple[str, str]

LABELS = ("negative", "neutral", "positive")

_TERM = re.compile(r"(?u)\b\w\w+\b")  # TfidfVectorizer's default token_pattern
_RARE_WORDS = 12_000


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


_OPENINGS = {
    "negative": _phrases(
        "I am sorry to say | Honestly, | Be warned: | After two weeks | What a letdown, | Sadly"
    ),
    "neutral": _phrases(
        "For the record, | As described, | In short: | On Monday | According to the leaflet, |"
        "So far"
    ),
    "positive": _phrases(
        "I am glad to say | Honestly, | What a surprise, | After two weeks | Great news: | Happily"
    ),
}
_JUDGEMENTS = {
    "negative": _phrases(
        "is terrible | broke at once | was a waste of money | disappointed everyone | keeps failing"
    ),
    "neutral": _phrases(
        "is what it is | comes in two sizes | arrived on time | works as listed | is about average"
    ),
    "positive": _phrases(
        "is wonderful | works perfectly | was worth every penny | delighted everyone | never fails"
    ),
}
_CLOSINGS = {
    "negative": _phrases(
        "never again | I want my money back | avoid it | don't bother | very poor"
    ),
    "neutral": _phrases(
        "nothing more to add | make of that what you will | more next month | it depends |"
        "that's all"
    ),
    "positive": _phrases(
        "I would buy it again | highly recommended | thank you so much | a joy to use | 5 stars"
    ),
}
_THINGS = _phrases(
    "the kettle | this phone | our hotel room | the second season | the customer service |"
    "my new bike | the soup | their website | this novel | the battery | the sound |"
    "the delivery | its café"
)
_LINKS = _phrases(
    "with its {0} {1} | and the {0} next to the {1} | from {0} to {1} |"
    "because of the {0} {1} in {2} | while {0} and {1} were {2} | which the {0} called {1} |"
    "at the {0} {1}, near {2}"
)
_ODDITIES = _phrases(
    "naïve résumé | 100% 24/7 | ÜBER-groß | 日本語 | 😀😀 | I I I | e-mail me@example.org |"
    "don't can't won't | snake_case x2 | A.B.C. | word\u00a0word | Ελληνικά και русский"
)
_SYLLABLES = _phrases(
    "ba | cor | del | en | fi | gra | hol | in | ju | kel | lo | mar | ni | or | pel | qui |"
    "ras | sto | ter | un | ver | wil | xa | yor | zen | tion | ly | ment | er | ing"
)


def rare_word(number: int) -> str:
    """The pronounceable word with this number; different numbers give different words."""
    syllables = [_SYLLABLES[number % 30], _SYLLABLES[number // 30 % 30]]
    number //= 900
    while number:
        syllables.append(_SYLLABLES[number % 30])
        number //= 30
    return "".join(syllables) + "o"


def sentences(seed: int) -> Iterator[Labelled]:
    """Label and text, without end, the labels in turn."""
    source = random.Random(seed)
    frequencies = list(itertools.accumulate(1 / rank for rank in range(1, _RARE_WORDS + 1)))
    for label in itertools.cycle(LABELS):
        words = [
            rare_word(rank)
            for rank in source.choices(range(_RARE_WORDS), cum_weights=frequencies, k=6)
        ]
        # People contradict themselves: each part speaks for the label only most of the time, so
        # some texts are close.
        opening, judgement, closing = (
            label if source.random() < 0.6 else source.choice(LABELS) for _ in range(3)
        )
        parts = [
            source.choice(_OPENINGS[opening]),
            source.choice(_THINGS),
            source.choice(_LINKS).format(*words[:3]),
        ]
        parts.append(source.choice(_JUDGEMENTS[judgement]))
        if source.random() < 0.6:
            parts.append(source.choice(_LINKS).format(*words[3:]))
        ending = source.choice((".", "!", "...", " :)")) if source.random() < 0.5 else ""
        yield label, f"{' '.join(parts)}, {source.choice(_CLOSINGS[closing])}{ending}"


def terms(text: str) -> set[str]:
    """The one- and two-word terms scikit-learn's vectorizer takes from this text."""
    tokens = _TERM.findall(text.lower())
    return set(tokens) | {f"{first} {second}" for first, second in itertools.pairwise(tokens)}


def training_corpus(term_count: int, extra: Iterable[Labelled] = ()) -> list[Labelled]:
    """Sentences enough for `term_count` different terms (at most 40 more), the extra ones evenly
    among them.
    """
    corpus: list[Labelled] = []
    seen: set[str] = set()
    given = iter(extra)
    for generated in sentences(seed=1):
        for sentence in itertools.chain(itertools.islice(given, 1), (generated,)):
            corpus.append(sentence)
            seen |= terms(sentence[1])
            if len(seen) >= term_count:
                return corpus
    raise AssertionError("sentences() has no end")


def word_corpus(term_count: int) -> Iterator[Labelled]:
    """Documents of rare words only, with at least `term_count` different terms: for vocabularies up
    to a million.
    """
    source = random.Random(2)
    words = max(term_count // 5, 100)
    for number in range(term_count // 70 + 50):
        label = LABELS[number % 3]
        # Each class has its own third of the words, and one in five from anywhere.
        picks = (source.randrange(words // 3) * 3 + number % 3 for _ in range(48))
        noise = (source.randrange(words) for _ in range(12))
        document = [rare_word(pick) for pick in itertools.chain(picks, noise)]
        source.shuffle(document)
        yield label, " ".join(document)


def unseen_texts(count: int) -> list[str]:
    """Texts to ask about: sentences of another seed, one in ten with what people also type."""
    source = random.Random(3)
    texts = [text for _, text in itertools.islice(sentences(seed=4), count)]
    return _with_oddities(texts, source)


def varied_texts(count: int) -> list[str]:
    """Texts all different and of all lengths up to some thousand characters, most of them short."""
    source = random.Random(6)
    one_by_one = sentences(seed=7)
    lengths = source.choices((1, 2, 5, 40), weights=(80, 15, 4, 1), k=count)
    texts = [
        " ".join(text for _, text in itertools.islice(one_by_one, length)) for length in lengths
    ]
    return _with_oddities(texts, source)


def _with_oddities(texts: list[str], source: random.Random) -> list[str]:
    return [
        f"{text} {source.choice(_ODDITIES)}" if number % 10 == 9 else text
        for number, text in enumerate(texts)
    ]


def read_sentences(path: Path) -> list[Labelled]:
    """The lines `label<TAB>text` of a file, in a fixed shuffled order; ValueError names a line of
    another shape.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    labelled: list[Labelled] = []
    for number, line in enumerate(lines, 1):
        label, tab, text = line.partition("\t")
        if line and not tab:
            raise ValueError(f"{path}:{number}: expected label<TAB>text")
        if line and label in LABELS:  # skips a header line
            labelled.append((label, text))
    random.Random(5).shuffle(labelled)
    return labelled
