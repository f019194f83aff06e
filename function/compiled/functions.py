"""A model's own functions, on the way from a text to its terms.

scikit-learn takes them in four places, and so do we, in the same order:

    before    transformers ahead of the vectorizer: all texts at a time, in the shape in which the
              model gets them, each given what the one before returned; or beside it, where they
              make numbers (own_numbers.py)
    prepare   instead of lower case and accents: a text to a text
    tokenize  instead of the token pattern: a text to its tokens, of which stop words and n-grams
              are made as ever
    analyze   instead of all that: a text to its terms

What they raise is nobody's business here: it fails this text, as it does in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from function.compiled.analyzer import Analyze, AnalyzerSpec, build_analyzer, build_words

if TYPE_CHECKING:
    from function.compiled.known import Made

Shape = Callable[[Sequence[str]], Any]
"""Texts in the shape in which a model takes them."""


class Function(NamedTuple):
    """A function under the name that people are told, and what it is given beside the text."""

    name: str
    call: Callable[..., Any]
    arguments: Mapping[str, Any] = {}
    made: Made | None = None
    """What it is, where it is one of a library's (known.py) and no code of the model's own."""


class Before(NamedTuple):
    """Functions that all texts of a request pass through, one after the other.

    ``shape`` makes of texts what the first of them is given: a list, or whatever the model takes.
    ``of_column`` makes what it would be given within a ColumnTransformer.
    """

    shape: Shape
    of_column: Shape
    functions: tuple[Function, ...] = ()

    def then(self, function: Function) -> Before:
        """The same, and after it this one."""
        return self._replace(functions=(*self.functions, function))

    def run(self, texts: Sequence[str]) -> Any:
        """Whatever they make of the texts."""
        found = self.shape(texts)
        for function in self.functions:
            found = function.call(found, **function.arguments)
        return found

    def __call__(self, texts: Sequence[str], columns: int | None = None) -> Sequence[Any]:
        """As many texts, or rows of so many numbers; ValueError where they make something else."""
        name, found = self.functions[-1].name, self.run(texts)
        if columns is None:
            return _as_texts(found, len(texts), name)
        from function.compiled.own_numbers import as_rows

        return as_rows(found, len(texts), columns, name)


AS_LIST = Before(list, list)


class Functions(NamedTuple):
    """Those of one vectorizer."""

    before: Before | None = None
    prepare: tuple[Function, ...] = ()
    tokenize: Function | None = None
    analyze: Function | None = None

    @property
    def make_terms(self) -> bool:
        """Whether terms are other than the analyzer's options have them."""
        return bool(self.prepare or self.tokenize or self.analyze)

    def own_analyzer(self, spec: AnalyzerSpec) -> Analyze | None:
        """What makes the terms; None where the options alone do."""
        return build_own_analyzer(spec, self) if self.make_terms else None

    def each(self) -> Iterator[tuple[str, Function]]:
        """Every function, beside the place that it has."""
        if self.before is not None:
            yield from (("before", function) for function in self.before.functions)
        yield from (("prepare", function) for function in self.prepare)
        for place, function in (("tokenize", self.tokenize), ("analyze", self.analyze)):
            if function is not None:
                yield place, function


def build_own_analyzer(spec: AnalyzerSpec, functions: Functions) -> Analyze:
    """Return the function from a text to its terms, repeats included, with these functions instead
    of what ``spec`` says of their places; what is before them is not part of it."""
    if functions.analyze is not None:
        return _listing(functions.analyze.call)
    analyze = build_analyzer(spec)
    if functions.tokenize is not None:
        analyze = build_words(spec, _listing(functions.tokenize.call))
    for function in reversed(functions.prepare):
        analyze = _after(function.call, analyze)
    return analyze


def build_given(
    found: Sequence[tuple[Functions | None, int | None]],
) -> Callable[[Sequence[str]], list[Sequence[Any]]]:
    """Return what makes of texts those that each vectorizer gets, given its functions, or the rows
    of numbers, given how many in each: what several of them have before them is called once."""
    befores = [(functions.before if functions else None, columns) for functions, columns in found]
    places = [(id(before), columns) for before, columns in befores]
    distinct = {
        place: (before, columns)
        for place, (before, columns) in zip(places, befores, strict=True)
        if before is not None
    }

    def given(texts: Sequence[str]) -> list[Sequence[Any]]:
        made = {place: before(texts, columns) for place, (before, columns) in distinct.items()}
        return [made.get(place, texts) for place in places]

    return given


def _listing(call: Callable[[str], Any]) -> Analyze:
    return lambda text: [*call(text)]


def _after(call: Callable[[str], Any], analyze: Analyze) -> Analyze:
    return lambda text: analyze(call(text))


def _as_texts(found: Any, count: int, name: str) -> Sequence[str]:
    """What a vectorizer would have read, as strings: of an array or a Series its items."""
    texts = found.tolist() if hasattr(found, "tolist") else found
    texts = None if isinstance(texts, str | bytes) else [*texts]
    if texts is None or len(texts) != count or not all(isinstance(item, str) for item in texts):
        told = "something else" if texts is None else f"{len(texts)} of something"
        raise ValueError(f"{name} makes {told} of {count} texts, and not as many texts")
    return texts
