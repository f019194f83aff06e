"""Where a model comes from: what the registry, the run and the model's own folder say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Lineage:
    """One model version's origin; None where the source does not know.

    ``source`` is what to download; ``stage`` and ``aliases`` are as of loading.
    """

    model_uri: str
    source: str
    model_name: str | None = None
    version: str | None = None
    run_id: str | None = None
    model_id: str | None = None
    stage: str | None = None
    aliases: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def shown_version(self) -> str | None:
        """What ``model_version`` in a response says: the version, else the model's or run's id."""
        return self.version or self.model_id or self.run_id
