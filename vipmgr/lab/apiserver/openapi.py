"""OpenAPI v3."""

from __future__ import annotations

from vipmgr.lab.apiserver.errors import Object, no_such_path
from vipmgr.lab.apiserver.kinds import Catalog


class OpenApi:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def document(self, path: str) -> Object:
        raise no_such_path()
