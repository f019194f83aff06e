"""Where a model comes from: what the registry, the run and the model's own folder say of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Lineage(NamedTuple):
    """One model version's origin; None where the source does not know.

    ``source`` is what to download; ``stage``, ``aliases`` and ``tags`` are as of loading.
    """

    model_uri: str
    source: str
    model_name: str | None = None
    version: str | None = None
    run_id: str | None = None
    model_id: str | None = None
    stage: str | None = None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = MappingProxyType({})
    details: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Lineage:
        """A lineage from what ``_asdict`` made of one, read back from JSON.

        What is no field of a lineage goes into its details.
        """
        given = {name: value for name, value in facts.items() if name in cls._fields}
        more = {name: value for name, value in facts.items() if name not in cls._fields}
        given["aliases"] = tuple(given.get("aliases", ()))
        given["details"] = {**given.get("details", {}), **more}
        return cls(**given)

    @property
    def shown_version(self) -> str | None:
        """What ``model_version`` in a response says: the version, else the model's or run's id."""
        return self.version or self.model_id or self.run_id
