"""A folder with functions of the model's own: their names, and the modules that they are in.

    manifest.json   of each vectorizer its `functions`: place (functions.py), module and name of
                    each, and what it is given beside the text; and `code`, the modules' files.
                    One of NLTK's (known.py) has the version of that, and what its object is made of
    code/           these files, under their checksums as all others

Nothing here runs any of it. Whoever loads a folder says how functions are made of sources (Resolve)
or that none are: then a folder that names any but NLTK's is refused, before its code is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.compiled.files import CodeNotAllowed
from function.compiled.functions import AS_LIST, Before, Function, Functions

Find = Callable[[str, str], Callable[..., Any]]
"""A module's name, and that of a function in it, to the function. Raises CompiledModelError."""
Resolve = Callable[[Mapping[str, bytes]], Find]
"""Sources by file, as `words.py` or `package/words.py`, to what finds functions in them, and in
what is installed."""

FOLDER = "code"
PLACES = ("before", "prepare", "tokenize", "analyze")
_SEVERAL = ("before", "prepare")
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
is_dotted = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*").fullmatch
is_module = re.compile(rf"({_IDENTIFIER}/)*{_IDENTIFIER}\.py").fullmatch
"""Whether a file's name is one that a folder takes: no other can leave it, either."""


def named(functions: Functions) -> list[dict[str, Any]]:
    """What the manifest says of them."""
    found = []
    for place, function in functions.each():
        module, _, name = function.name.partition(":")
        entry = {"place": place, "module": module, "name": name}
        if function.made is None:
            found.append({**entry, "arguments": {**function.arguments}})
        else:
            parameters = {**function.made.parameters}
            found.append({**entry, "arguments": parameters, "nltk": function.made.version})
    return found


def read_functions(
    facts: Mapping[str, Any], folder: str, read: Callable[[str], bytes], resolve: Resolve | None
) -> list[Functions | None]:
    """The functions of each vectorizer in a manifest; `read` gives a file that was checked.

    Raises ValueError for a manifest that names them otherwise than `named` does, CodeNotAllowed
    where there is no `resolve`, and what that raises.
    """
    every = [spec.get("functions", []) for spec in facts["vectorizers"]]
    _check(every, facts.get("code"))
    own = [it for listed in every for it in listed if "nltk" not in it]
    if own and resolve is None:
        told = dict.fromkeys(f"{it['place']}: {it['module']}:{it['name']}" for it in own)
        raise CodeNotAllowed(
            f"{folder}: it has functions of the model's own ({', '.join(told)}),"
            " which are code. Set ALLOW_MODEL_CODE=true if you trust whoever can write it"
        )
    find = None
    if own and resolve is not None:
        find = resolve({file: read(f"{FOLDER}/{file}") for file in facts["code"]})
    befores: dict[str, Before] = {}
    return [_functions(listed, find, befores) if listed else None for listed in every]


def _functions(
    listed: Sequence[Mapping[str, Any]], find: Find | None, befores: dict[str, Before]
) -> Functions:
    """Those of one vectorizer; what several have before them is one object for all."""
    made: dict[str, list[Function]] = {place: [] for place in PLACES}
    for it in listed:
        made[it["place"]].append(_function(it, find))
    key = repr([it for it in listed if it["place"] == "before"])
    before = AS_LIST._replace(functions=tuple(made["before"]))
    return Functions(
        befores.setdefault(key, before) if made["before"] else None,
        tuple(made["prepare"]),
        *(next(iter(made[place]), None) for place in ("tokenize", "analyze")),
    )


def _function(it: Mapping[str, Any], find: Find | None) -> Function:
    module, name, arguments = it["module"], it["name"], it["arguments"]
    if "nltk" not in it:
        assert find is not None, "there is code"
        return Function(f"{module}:{name}", find(module, name), arguments)
    from function.compiled import known

    made = known.Made(f"{module}:{name}", arguments, it["nltk"])
    if not known.is_known(made):
        raise ValueError(f"functions: {made.name} is none of NLTK's that are run")
    return Function(made.name, known.deferred(made), {}, made)


def _check(every: Sequence[Any], files: Any) -> None:
    if not (isinstance(files, list) and all(isinstance(it, str) and is_module(it) for it in files)):
        raise ValueError(f"code: {str(files)[:80]!r} are not names of modules' files")
    for listed in every:
        if not (isinstance(listed, list) and all(map(_is_named, listed))):
            raise ValueError(f"functions: {str(listed)[:80]!r} are not names of functions")
        places = [it["place"] for it in listed]
        if any(places.count(place) > 1 for place in PLACES if place not in _SEVERAL):
            raise ValueError(f"functions: several in one place of {places}")


def _is_named(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("place") in PLACES
        and all(isinstance(value.get(key), str) for key in ("module", "name"))
        and all(is_dotted(value[key]) for key in ("module", "name"))
        and isinstance(value.get("arguments"), dict)
        and isinstance(value.get("nltk", ""), str)
    )


def only_look(sources: Mapping[str, bytes]) -> Find:
    """As Resolve, for who asks whether a folder is whole and lets it answer nothing."""
    return lambda module, name: _raise_not_run


def _raise_not_run(*given: Any, **arguments: Any) -> Any:
    raise RuntimeError("the folder's code was not to run")
