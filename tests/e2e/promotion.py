"""A promotion as MLflow knows it: an alias set through its REST API, with no kubectl."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from function.registry import published, uris
from function.registry.connection import Connection
from function.registry.tracking import TrackingServer, Version

SET_ALIAS = "/api/2.0/mlflow/registered-models/alias"


@dataclass(frozen=True)
class Alias:
    """One alias of a registered model; credentials are MLflow's own variables."""

    server: str
    name: str
    alias: str

    @classmethod
    def of(cls, server: str, model_uri: str) -> Alias | None:
        """The alias that ``models:/NAME@ALIAS`` names; None for any other form."""
        if uris.scheme(model_uri) != "models":
            return None
        named = uris.model_name(model_uri)
        return cls(server, named.name, named.alias) if named.alias else None

    def version(self) -> str:
        """The version it means now."""
        with closing(TrackingServer(self.server)) as server:
            return server.get_model_version_by_alias(self.name, self.alias).version

    def others(self) -> list[str]:
        """The published versions that it does not mean, newest first."""
        found = [item.version for item in self._versions() if published.tags_of(item.tags)]
        return sorted({*found} - {self.version()}, key=int, reverse=True)

    def move(self, version: str) -> None:
        """Have it mean ``version``."""
        with closing(Connection(self.server)) as connection:
            question = {"name": self.name, "alias": self.alias, "version": version}
            connection.post(SET_ALIAS, question)

    @contextmanager
    def put_back(self) -> Iterator[str]:
        """The version it means, and means again in the end."""
        before = self.version()
        try:
            yield before
        finally:
            self.move(before)

    def _versions(self) -> list[Version]:
        with closing(TrackingServer(self.server)) as server:
            return list(server.search_model_versions(f"name = '{self.name}'"))
