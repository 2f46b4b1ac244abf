"""A workspace of its own behind the API, for the tests that are generated from the table of routes."""

from __future__ import annotations

from typing import Any, Final

import httpx2
from tests.contract.world import World

from reverie.app import Reverie
from reverie.server.endpoint import Endpoint
from reverie.server.routes import ENDPOINTS

__all__ = ["TABLE", "Tenant"]

TABLE: Final[list[Endpoint]] = sorted(ENDPOINTS, key=lambda endpoint: (endpoint.path, endpoint.method))


class Tenant:
    """A workspace, a client with its key, and one of everything in it."""

    def __init__(self, reverie: Reverie, http: httpx2.Client, name: str) -> None:
        self.canary = f"canary-{name}-7f3a"
        self.house = reverie.workspace(reverie.workspaces.create(name, by="ana").id)
        self.token = reverie.keys.create(name, by="ana", workspace=self.house.id).token
        http.headers["x-api-key"] = self.token
        self.http = http
        self.world = World(http, self.house, self.canary)

    def ask(self, method: str, path: str, **said: Any) -> httpx2.Response:
        """The answer; of a stream that is answered at all, its beginning."""
        with self.http.stream(method, path, **said) as answer:
            if not answer.headers["content-type"].startswith("text/event-stream"):
                answer.read()
            return answer
