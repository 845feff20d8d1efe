"""What kinds of objects there are: the built-in ones and those that CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vipmgr.lab.apiserver.schema import Structural


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`. `path`: a JSONPath, as in a CRD. priority 1: only -o wide shows it."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, eq=False)
class Kind:
    """One resource of one API version.

    `storage` names where its objects are kept: versions of a resource share it, and so do the two kinds of Events.
    `generation`: the server counts metadata.generation. `fields`: what field selectors may name besides the metadata.
    `schema`: of a custom resource; built-in kinds have none. `unconditional`: PUT needs no resourceVersion.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    schema: Structural | None = None
    storage: str = ""
    generation: bool = False
    fields: frozenset[str] = frozenset()
    unconditional: bool = True
    returns_deleted: bool = False
    prefix: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        object.__setattr__(self, "singular", self.singular or self.kind.lower())
        object.__setattr__(self, "storage", self.storage or self.qualified)
        text = f'{{"apiVersion":"{self.api_version}","kind":"{self.kind}",'
        object.__setattr__(self, "prefix", text.encode())

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def custom(self) -> bool:
        return self.schema is not None


class Catalog:
    """Every kind the server knows, by (group, version, plural)."""

    def __init__(self, kinds: tuple[Kind, ...]) -> None:
        self._kinds = {(kind.group, kind.version, kind.plural): kind for kind in kinds}
        self.revision = 0

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def of_storage(self, storage: str) -> Kind:
        """Any version of the kind kept under `storage` (the first one known)."""
        return next(kind for kind in self if kind.storage == storage)

    def has_group(self, group: str, version: str = "") -> bool:
        return any(kind.group == group and version in ("", kind.version) for kind in self)

    def replace(self, group: str, plural: str, kinds: tuple[Kind, ...]) -> None:
        """Set the versions of one custom resource; none: it is gone."""
        for key in [key for key in self._kinds if (key[0], key[2]) == (group, plural)]:
            del self._kinds[key]
        self._kinds.update({(kind.group, kind.version, kind.plural): kind for kind in kinds})
        self.revision += 1
