"""One virtual environment per competitor, made on demand and kept until its requirements change."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from supply import locks
from tests.benchmarks import progress

_READY = "ready.json"


def version_here(package: str, otherwise: str) -> str:
    """`package==version` as installed beside this benchmark, so that all serve the model with what
    wrote it.
    """
    try:
        return f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package}=={otherwise}"


def locked() -> tuple[str, ...]:
    """The requirements of this project's lock, without their hashes."""
    return tuple(
        f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "")
        for pin in locks.pins()
    )


def python_of(
    folder: Path, name: str, requirements: tuple[str, ...], compiles: bool = True
) -> Path:
    """The interpreter of the environment with these requirements; makes it first if need be.

    Without `compiles` it is there in a fourth of the time, for who starts it once or twice.
    progress.StepFailed if they cannot be installed.
    """
    environment = folder / f"{requirements[0].partition('==')[0]}-{_key(requirements)}"
    python = environment / "bin" / "python"
    if not (environment / _READY).exists():
        shutil.rmtree(environment, ignore_errors=True)  # left by an interrupted run
        environment.parent.mkdir(parents=True, exist_ok=True)
        installed = _create(name, environment, python, requirements, compiles)
        (environment / _READY).write_text(
            json.dumps({"requirements": requirements, "installed": installed})
        )
    return python


def installed_versions(python: Path) -> list[str]:
    """Every package in the environment as `name==version`."""
    return list(json.loads((python.parent.parent / _READY).read_text())["installed"])


def _key(requirements: tuple[str, ...]) -> str:
    text = "\n".join((platform.python_version(), *sorted(requirements)))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _create(
    name: str, environment: Path, python: Path, requirements: tuple[str, ...], compiles: bool
) -> list[str]:
    named = ", ".join(requirements) if len(requirements) < 10 else f"{len(requirements)} packages"
    message = f"installing the environment of {name} (once): {named}"
    if uv := _find_uv():
        progress.run(
            f"creating the environment of {name}",
            [uv, "venv", "--python", sys.executable, str(environment)],
        )
        install = [
            uv,
            "pip",
            "install",
            "--python",
            str(python),
            *(["--compile-bytecode"] if compiles else []),
            *requirements,
        ]
        freeze = [uv, "pip", "freeze", "--python", str(python)]
    else:
        progress.run(
            f"creating the environment of {name}", [sys.executable, "-m", "venv", str(environment)]
        )
        install = [str(python), "-m", "pip", "install", *requirements]
        freeze = [str(python), "-m", "pip", "freeze"]
    progress.run(message, install)
    lines = progress.run(f"listing what {name} installed", freeze).splitlines()
    return [line for line in lines if "==" in line]


def _find_uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")
