"""``python -m tests.conformance``: schemathesis against both doors, held to their OpenAPI document.

All of its checks, stateful ones too, and what JSON Schema cannot say in schemathesis.toml. The
tool is fetched by uv, for itself: it wants other versions of what the tests want.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from function.compiled import writing
from function.compiler.compiler import translate
from tests.doors import ROOT, commands, start_door
from tests.registry import strings_pipeline

SCHEMATHESIS = "schemathesis==4.32.5"
EXAMPLES = 550
"""Of each operation, which make more than 10,000 cases for each door."""


def main() -> None:
    """Exit status 1 where a door does not keep what its document promises."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Runs schemathesis against both doors (a quarter of an hour).",
        epilog="example: python -m tests.conformance --examples 50 --door serve",
    )
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"({EXAMPLES})")
    parser.add_argument("--seed", type=int, default=1, help="to do the same again (1)")
    parser.add_argument("--door", choices=commands(0), help="only this one")
    given = parser.parse_args()
    uvx = Path(sys.executable).with_name("uvx")
    failed = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        facts = {"model_name": "reviews", "version": "1"}
        writing.save(folder / "model", translate(strings_pipeline()), facts)
        for name in [given.door] if given.door else [*commands(0)]:
            server = start_door(name, folder / "model", folder, LOG_LEVEL="CRITICAL")
            command = [
                *(str(uvx), "--from", SCHEMATHESIS, "schemathesis"),
                *("--config-file", str(ROOT / "tests" / "schemathesis.toml"), "run"),
                *("--checks", "all", "--max-examples", str(given.examples)),
                *("--seed", str(given.seed), f"{server.url}/openapi.json"),
            ]
            try:
                if subprocess.run(command, cwd=folder).returncode:
                    failed.append(name)
            finally:
                server.stop()
    if failed:
        sys.exit(f"{' and '.join(failed)}: not as the OpenAPI document says")


if __name__ == "__main__":
    main()
