"""Functions of NLTK that a folder may name, and that any service runs: they are no code of the
model's own, and nothing but what is listed here is taken for such.

An object's function is that of another object, made of the same parameters. Tokens and stems differ
between versions of NLTK, so it must be the one that the model was compiled with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from function.compiled.files import CompiledModelError


class Made(NamedTuple):
    """What a known function is: `name` as `module:Class.method` or `module:function`, the
    parameters that the object was made with, and the version of NLTK."""

    name: str
    parameters: Mapping[str, str | bool]
    version: str


_OF_TWEETS = ("preserve_case", "reduce_len", "strip_handles", "match_phone_numbers")
_LANGUAGES = (
    *("Danish", "Dutch", "English", "Finnish", "French", "German", "Hungarian"),
    *("Italian", "Norwegian", "Portuguese", "Romanian", "Russian", "Spanish", "Swedish"),
)
METHODS: Mapping[str, tuple[str, ...]] = {
    "nltk.stem.porter:PorterStemmer.stem": ("mode",),
    "nltk.stem.snowball:PorterStemmer.stem": (),
    **{f"nltk.stem.snowball:{language}Stemmer.stem": () for language in _LANGUAGES},
    "nltk.tokenize.casual:TweetTokenizer.tokenize": _OF_TWEETS,
    "nltk.tokenize.destructive:NLTKWordTokenizer.tokenize": (),
    "nltk.tokenize.toktok:ToktokTokenizer.tokenize": (),
    "nltk.tokenize.treebank:TreebankWordTokenizer.tokenize": (),
}
"""Methods, and what their objects are made with, which these have in attributes of the same name.
A snowball stemmer of other than no stop words is not one of them, nor is the Arabic one, which
keeps on itself what it finds of a word: of two threads each would meet the other's."""
FUNCTIONS = ("nltk.tokenize.casual:casual_tokenize", "nltk.tokenize:word_tokenize")


def is_known(made: Made) -> bool:
    """Whether it is one of these, made of what its objects are made of."""
    allowed = METHODS.get(made.name, () if made.name in FUNCTIONS else None)
    return allowed is not None and all(
        name in allowed and isinstance(value, str | bool) for name, value in made.parameters.items()
    )


def deferred(made: Made) -> Callable[[str], Any]:
    """Return the function, which imports NLTK when it is first called: who only looks at a folder
    needs none. It raises CompiledModelError then, where that is missing or another version."""
    found: list[Callable[[str], Any]] = []

    def call(text: str) -> Any:
        if not found:
            found.append(make(made))
        return found[0](text)

    return call


def make(made: Made) -> Callable[[str], Any]:
    """Return the function."""
    assert is_known(made)
    module, _, name = made.name.partition(":")
    wanted = f"{made.name} of NLTK {made.version}, which the model was compiled with"
    try:
        version = import_module("nltk").__version__
        if version != made.version:
            raise CompiledModelError(
                f"it needs {wanted}, and {version} is installed; install that one, or compile the"
                " model again"
            )
        owner, _, method = name.rpartition(".")
        found: Any = import_module(module)
        if owner:
            found = getattr(found, owner)(**made.parameters)
        return getattr(found, method)  # type: ignore[no-any-return]
    except ImportError as exc:
        raise CompiledModelError(
            f"it needs {wanted} ({exc}); install nltk=={made.version} where it is served"
            " (EXTRA_REQUIREMENTS in an image)"
        ) from exc
