"""The code of a compiled folder (compiled/code.py), run where ALLOW_MODEL_CODE says so.

Its modules are made of the bytes whose checksum was checked, and never of a path. Each load has its
own: the file `words.py` of one becomes the module `_model_code_1.words`, of the next
`_model_code_2.words`. So two versions of a model serve side by side, and no name means anything
else to anybody than before. The code itself knows its modules by the names of their files: what
`import` and `from ... import` mean in it, at the top or within a function, is its own `__import__`,
which looks among its own modules first, as MLflow's `sys.path` does.

What only files and `sys.path` could give is not there: `__file__`, what is read beside a module,
and `importlib.import_module` of one's own.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from itertools import accumulate, count
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import finalize

from function.compiled import artifact
from function.compiled.files import CompiledModelError, Files
from function.compiled.predictor import CompiledPredictor
from function.model.stages import Stages

if TYPE_CHECKING:
    from pathlib import Path

_numbers = count(1)


def load(
    place: str | Path | Files, labels: Mapping[str, str], stages: Stages
) -> tuple[CompiledPredictor, dict[str, Any]]:
    """As artifact.load, with the functions of the model's own; its modules go with the predictor.

    Raises CompiledModelError where they cannot be imported.
    """
    made: list[Modules] = []

    def resolve(sources: Mapping[str, bytes]) -> Callable[[str, str], Any]:
        made.append(Modules(sources))
        return made[-1].find

    try:
        predictor, facts = artifact.load(place, labels, resolve)
    except BaseException:
        for modules in made:
            modules.forget()
        raise
    for modules in made:
        finalize(predictor, modules.forget).atexit = False
        stages.ran_code.append(
            f"ran functions of the model's own ({', '.join(predictor.own_functions)}): whoever can"
            " write the compiled folder can run code here. ALLOW_MODEL_CODE=false refuses it."
        )
    return predictor, facts


class Modules:
    """Modules of such sources, by file; none is imported before it is asked for."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self._root = f"_model_code_{next(_numbers)}"
        self._files = {_module_of(file): file for file in sources}
        self._sources = sources
        folders = [file.split("/")[:-1] for file in sources]
        self._packages = {name for parts in folders for name in accumulate(parts, "{}.{}".format)}
        self._names = {name.partition(".")[0] for name in self._files}
        self._builtins = {**vars(builtins), "__import__": self._import}
        _Finder.begin(self._root, self)

    def find(self, module: str, name: str) -> Callable[..., Any]:
        """As compiled.code.Find: of these modules, else of what is installed."""
        try:
            found: Any = import_module(f"{self._root}.{module}" if self._has(module) else module)
            for part in name.split("."):
                found = getattr(found, part)
        except Exception as exc:  # whatever the module does
            raise CompiledModelError(self._in_words(module, name, exc)) from exc
        if not callable(found):
            raise CompiledModelError(
                f"{module}:{name} is no function, but of type {type(found).__name__}"
            )
        return found  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Let the modules go; who has a function of theirs keeps what it uses."""
        _Finder.end(self._root)

    def spec(self, name: str) -> ModuleSpec | None:
        """The spec of a module by its full name; None where there is none."""
        own = name.partition(".")[2]
        if own not in self._files and own not in self._packages:
            return None
        origin = self._files.get(own)
        is_package = own in self._packages
        return ModuleSpec(name, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """A module of the usual kind."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it, unless it is a package without ``__init__``."""
        own = module.__name__.partition(".")[2]
        module.__dict__["__builtins__"] = self._builtins
        if file := self._files.get(own):
            named = f"<{self._root}>/{file}"
            exec(compile(self._sources[file], named, "exec", dont_inherit=True), module.__dict__)

    def _has(self, name: str) -> bool:
        return name.partition(".")[0] in self._names

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What `import` does in these modules (the built-in `__import__`)."""
        if level or not self._has(name):
            return builtins.__import__(name, globals, locals, fromlist, level)
        found = builtins.__import__(f"{self._root}.{name}", globals, locals, fromlist, 0)
        return found if fromlist else sys.modules[f"{self._root}.{name.partition('.')[0]}"]

    def _in_words(self, module: str, name: str, exc: Exception) -> str:
        detail = " ".join(str(exc).split()).replace(f"{self._root}.", "")
        told = f"{module}:{name} cannot be imported ({type(exc).__name__}: {detail})"
        if isinstance(exc, ModuleNotFoundError):
            told += "; install what it needs where it is served (EXTRA_REQUIREMENTS in an image)"
        return told


class _Finder:
    """Of all loads the one finder in sys.meta_path: were a list that others go through to lose an
    entry meanwhile, they would skip the next."""

    loads: dict[str, Modules] = {}

    @classmethod
    def begin(cls, root: str, modules: Modules) -> None:
        cls.loads[root] = modules
        package = sys.modules[root] = ModuleType(root)
        package.__path__ = []
        if cls not in sys.meta_path:
            sys.meta_path.append(cls)

    @classmethod
    def end(cls, root: str) -> None:
        cls.loads.pop(root, None)
        for name in [*sys.modules]:
            if name.partition(".")[0] == root:
                sys.modules.pop(name, None)

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        modules = cls.loads.get(name.partition(".")[0])
        return None if modules is None else modules.spec(name)


def _module_of(file: str) -> str:
    """`package/words.py` is `package.words`, `package/__init__.py` is `package`."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
