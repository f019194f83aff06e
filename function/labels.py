"""``python -m function.labels``: a compiled model's lineage as labels for a container image.

No build step can label the image it is building with what it finds out, so ``make image-compiled``
asks the finished image for this line and adds it with a second, one-line build.
"""

from __future__ import annotations

import argparse
import json

from function.compiled import artifact
from function.compiled.code import only_look
from function.compiled.files import CompiledModelError
from function.settings import settings_or_exit

PREFIX = "org.mlflow.model"
EPILOG = """examples:
  COMPILED_MODEL=model python -m function.labels
  docker run --rm IMAGE python -m function.labels
"""


def main() -> None:
    """Print a Dockerfile's LABEL instruction for the model in COMPILED_MODEL."""
    argparse.ArgumentParser(
        prog="python -m function.labels",
        description="Print a Dockerfile's LABEL instruction for the model in COMPILED_MODEL.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    folder = settings_or_exit().compiled_model
    if not folder:
        raise SystemExit("COMPILED_MODEL is not set: only a compiled model has labels.")
    try:
        found = labels(folder)
    except CompiledModelError as exc:
        raise SystemExit(str(exc)) from None
    print("LABEL", *(f"{key}={_quoted(value)}" for key, value in found.items()))


def labels(folder: str) -> dict[str, str]:
    """The labels of the compiled model in ``folder``; raises CompiledModelError.

    The digest is the one that ``/models/info`` shows. What the model does not have has no label.
    """
    _, facts = artifact.load(folder, resolve=only_look)
    given = {
        "name": facts.get("model_name"),
        "version": facts.get("version"),
        "run-id": facts.get("run_id"),
        "uri": facts.get("model_uri"),
        "digest": f"sha256:{artifact.digest(folder)}",
    }
    return {f"{PREFIX}.{key}": str(value) for key, value in given.items() if value is not None}


def _quoted(value: str) -> str:
    """As the Dockerfile parser reads it: a dollar would begin a variable."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")


if __name__ == "__main__":
    main()
