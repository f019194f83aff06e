"""A Knative Service as one apply after another leaves it: what is refused, what serves.

After knative.dev/serving v0.51 pkg/apis/serving/v1/revision_validation.go (VerifyNameChange) and
pkg/reconciler/{service,configuration} (CheckNameAvailability). Every revision counts as ready.
"""

from __future__ import annotations

from tests.manifests.defaults import SHIPPED, Object, knative_service


class Refused(Exception):
    """By the webhook, before anything is stored."""


class NameTaken(Exception):
    """Stored, but the Service is not Ready, and traffic stays where it was."""


class Applied:
    """One Service on a cluster."""

    def __init__(self, config: Object = SHIPPED) -> None:
        self.config = config
        self.stored: Object | None = None
        self.writes = 0  # as metadata.generation counts them
        self.revisions: dict[str, Object] = {}
        self.traffic: dict[str, int] = {}

    def apply(self, document: Object) -> None:
        """kubectl apply, client-side or server-side: no list of a custom resource is merged."""
        new = knative_service(document, self.stored, self.config)
        if self.stored:
            self._verify_name_change(new, self.stored)
        if not self.stored or new["spec"] != self.stored["spec"]:
            self.writes += 1
        self.stored = new
        self._reconcile(new)

    def _verify_name_change(self, new: Object, old: Object) -> None:
        now, before = new["spec"]["template"], old["spec"]["template"]
        name = now["metadata"].get("name")
        if name and name == before["metadata"].get("name") and now != before:
            raise Refused("Saw the following changes without a name change (-old +new)")

    def _reconcile(self, service: Object) -> None:
        template = service["spec"]["template"]
        name = template["metadata"].get("name") or f"generated-{self.writes:05}"
        if self.revisions.setdefault(name, template["spec"]) != template["spec"]:
            raise NameTaken(f'The revision name "{name}" is taken by a conflicting Revision')
        self.traffic = {
            target.get("revisionName", name): target["percent"]
            for target in service["spec"]["traffic"]
        }
