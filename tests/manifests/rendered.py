"""The overlays of knative/ as kustomize renders them, and a copy of one edited."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

KNATIVE = Path(__file__).parents[2] / "knative"
OVERLAYS = sorted(path.name for path in (KNATIVE / "overlays").iterdir() if path.is_dir())
ON_KNATIVE = [name for name in OVERLAYS if name != "kubernetes"]


@functools.cache
def render(overlay: str) -> tuple[dict[str, Any], ...]:
    """The overlay's documents."""
    return render_folder(KNATIVE / "overlays" / overlay)


def render_folder(folder: Path) -> tuple[dict[str, Any], ...]:
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # deprecation warnings
    return tuple(yaml.safe_load_all(done.stdout))


def copy_overlay(
    target: Path,
    overlay: str,
    *,
    shares: tuple[int, ...] = (),
    image: dict[str, str] | None = None,
    **more: Any,
) -> Path:
    """A copy of knative/, the overlay's kustomization edited; returns the overlay's folder.

    ``shares`` are its revisions' percentages in their order, ``more`` further fields of the file.
    """
    folder = shutil.copytree(KNATIVE, target) / "overlays" / overlay
    file = folder / "kustomization.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text())
    if image:
        document["images"] = [{"name": "sentiment-function", **image}]
    if shares:
        (patch,) = document["patches"]
        release = yaml.safe_load(patch["patch"])
        for traffic, share in zip(release["spec"]["traffic"], shares, strict=True):
            traffic["percent"] = share
        patch["patch"] = yaml.safe_dump(release)
    for field, value in more.items():
        document[field] = [*document.get(field, []), *value] if field == "patches" else value
    file.write_text(yaml.safe_dump(document))
    return folder
