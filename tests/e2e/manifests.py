"""An overlay as the suite applies it: in its namespace, with its image, identifiable."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.manifests.rendered import copy_overlay

TEMPLATE = "/spec/template"
CONTAINER = f"{TEMPLATE}/spec/containers/0"
ANNOTATIONS = f"{TEMPLATE}/metadata/annotations/autoscaling.knative.dev~1"
KNATIVE_SERVICES = {"group": "serving.knative.dev", "kind": "Service"}

Changes = list[dict[str, Any]]


@dataclass(frozen=True)
class Overlays:
    """Edited copies of the shipped overlays, each in a folder of its own."""

    folder: Path
    namespace: str
    window: str  # "shipped" keeps the overlay's own
    count: itertools.count[int]

    def release(self, overlay: str, image: str, shares: tuple[int, ...] = ()) -> Path:
        """compiled or canary, the file edited as a release is: image and shares of traffic.

        SERVICE_NAME is the revision's name, so that GET /health tells which one answered.
        """
        name = {"compiled": "sentiment-v1", "canary": "sentiment-v2"}[overlay]
        return self._knative(overlay, image, [_env({"SERVICE_NAME": name})], shares)

    def another(
        self,
        service: str,
        image: str,
        env: Mapping[str, str] | None = None,
        probed_path: str = "",
    ) -> Path:
        """compiled under another name, beside the one that is released."""
        changes = [*_rename(service), _env({"SERVICE_NAME": f"{service}-v1", **(env or {})})]
        for probe in ("readinessProbe", "livenessProbe") if probed_path else ():
            changes.append(_replace(f"{CONTAINER}/{probe}/httpGet/path", probed_path))
        return self._knative("compiled", image, changes)

    def from_registry(self, overlay: str, service: str, image: str, env: Mapping[str, str]) -> Path:
        """registry or slim under another name; of ``env``, what is empty is the overlay's own."""
        changes = [
            _replace("/metadata/name", service),
            *(_add(f"{CONTAINER}/env/-", _variable(k, v)) for k, v in env.items() if v),
        ]
        return self._knative(overlay, image, changes)

    def kubernetes(self, image: str, connection_age_seconds: int) -> Path:
        age = {"name": "MAX_CONNECTION_AGE_SECONDS", "value": str(connection_age_seconds)}
        patch = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "sentiment"},
            "spec": {"template": {"spec": {"containers": [{"name": "function", "env": [age]}]}}},
        }
        return copy_overlay(
            self._new(),
            "kubernetes",
            image=split_image(image),
            namespace=self.namespace,
            patches=[{"patch": yaml.safe_dump(patch)}],
        )

    def _knative(
        self, overlay: str, image: str, changes: Changes, shares: tuple[int, ...] = ()
    ) -> Path:
        patch = yaml.safe_dump([*changes, *self._window()])
        return copy_overlay(
            self._new(),
            overlay,
            shares=shares,
            image=split_image(image),
            namespace=self.namespace,
            patches=[{"target": KNATIVE_SERVICES, "patch": patch}],
        )

    def _new(self) -> Path:
        return self.folder / str(next(self.count))

    def _window(self) -> Changes:
        if self.window == "shipped":
            return []
        return [
            _replace(f"{ANNOTATIONS}window", self.window),
            _replace(f"{ANNOTATIONS}scale-to-zero-pod-retention-period", "0s"),
        ]


def split_image(image: str) -> dict[str, str]:
    """A reference in the parts that kustomize's ``images`` names."""
    name, at, digest = image.partition("@")
    if at:
        return {"newName": name, "digest": digest}
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:  # the colon of a registry's port
        return {"newName": image, "newTag": "latest"}
    return {"newName": name, "newTag": tag}


def _rename(service: str) -> Changes:
    return [
        _replace("/metadata/name", service),
        _replace(f"{TEMPLATE}/metadata/name", f"{service}-v1"),
        _replace("/spec/traffic/0/revisionName", f"{service}-v1"),
    ]


def _env(variables: Mapping[str, str]) -> dict[str, Any]:
    return _add(f"{CONTAINER}/env", [_variable(*item) for item in variables.items()])


def _variable(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}
