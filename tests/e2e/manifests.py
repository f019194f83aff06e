"""An overlay as the suite applies it: in its namespace, with its image, identifiable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

KNATIVE = Path(__file__).parents[2] / "knative"
TEMPLATE = "/spec/template"
ANNOTATIONS = f"{TEMPLATE}/metadata/annotations/autoscaling.knative.dev~1"


def write_overlay(
    folder: Path, overlay: str, namespace: str, image: str, revision: str, window: str
) -> Path:
    """A kustomization on top of a shipped overlay; returns its folder.

    SERVICE_NAME is set to the revision's name, so that GET /health tells which one answered.
    """
    target = folder / revision
    target.mkdir(parents=True)
    overlay_path = KNATIVE / "overlays" / overlay
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        # kustomize takes no absolute path, and follows no link out of a relative one.
        "resources": [os.path.relpath(overlay_path.resolve(), target.resolve())],
        "images": [{"name": "sentiment-function", **split_image(image)}],
        "patches": [
            {
                "target": {"group": "serving.knative.dev", "kind": "Service"},
                "patch": yaml.safe_dump(_changes(revision, window)),
            }
        ],
    }
    (target / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return target


def split_image(image: str) -> dict[str, str]:
    """A reference in the parts that kustomize's ``images`` names."""
    name, at, digest = image.partition("@")
    if at:
        return {"newName": name, "digest": digest}
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:  # the colon of a registry's port
        return {"newName": image, "newTag": "latest"}
    return {"newName": name, "newTag": tag}


def _changes(revision: str, window: str) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = [
        {"op": "replace", "path": f"{TEMPLATE}/metadata/name", "value": revision},
        {
            "op": "add",
            "path": f"{TEMPLATE}/spec/containers/0/env",
            "value": [{"name": "SERVICE_NAME", "value": revision}],
        },
    ]
    if window != "shipped":
        retention = f"{ANNOTATIONS}scale-to-zero-pod-retention-period"
        changes += [
            {"op": "replace", "path": f"{ANNOTATIONS}window", "value": window},
            {"op": "replace", "path": retention, "value": "0s"},
        ]
    return changes
