"""Clients that others wrote, each in an environment of its own: their pins and ours conflict.

kserve wants pandas 2, mlserver a FastAPI that kserve does not take. An environment is made once and
kept in .bench/clients until its requirements change; from packages that are in uv's cache it is
there in about 5 seconds.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.benchmarks import envs

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".bench" / "clients"
MLSERVER = (
    *("mlserver==1.7.1", "mlserver-mlflow==1.7.1", "mlserver-sklearn==1.7.1"),
    *(envs.version_here("mlflow", "3.17.2"), envs.version_here("scikit-learn", "1.9.1")),
    envs.version_here("skops", "0.16.0"),
)
KSERVE = ("kserve==0.21.0",)


def python_of(requirements: tuple[str, ...]) -> Path:
    """The interpreter of the environment with these requirements."""
    name = requirements[0].partition("==")[0]
    return envs.python_of(ENVIRONMENTS, name, requirements, compiles=False)


def said_by(python: Path, script: str, *arguments: str) -> Any:
    """What a script of this folder printed, as JSON."""
    command = [str(python), "-W", "ignore", str(HERE / script), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
