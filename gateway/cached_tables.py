"""Remembers pinned tables, so that submitting many jobs on one dataset asks the store once.

A version never changes, and the newest version is the newest for as long as the dataset's record has the same
revision; the revision comes from an index in memory. Only datasets of the job's own project are remembered: for
another project's the caller's right is checked each time.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from gateway.validation.chain import Table, Tables
from headway.contract.errors import InvalidName
from headway.contract.ids import DatasetName

TABLES_KEPT = 1024


class Revisions(Protocol):
    """An index of the bucket `datasets`."""

    def revision_of(self, key: str) -> int:
        """The newest revision of a record that is known of; 0 when none is."""
        ...


@dataclass(frozen=True, slots=True)
class _Asked:
    key: str
    revision: int
    version: int
    sheet: str


class CachedTables:
    """Implements `gateway.validation.chain.Tables` in front of another."""

    def __init__(self, tables: Tables, revisions: Revisions) -> None:
        """Args: tables: asked for what is not remembered. revisions: tell when a dataset has changed."""
        self._tables = tables
        self._revisions = revisions
        self._remembered: OrderedDict[_Asked, Table] = OrderedDict()

    async def by_path(self, project: str, data_path: str, sheet: str, *, field: str) -> Table:
        """A file may change at any time: the store looks at it each time, and reads it only when it has."""
        return await self._tables.by_path(project, data_path, sheet, field=field)

    async def by_name(self, project: str, dataset: str, version: int, sheet: str, *, field: str) -> Table:
        """Pin a version of a dataset, 0 for the newest; errors name `field`."""
        asked = self._asked(project, dataset, version, sheet)
        known = self._remembered.get(asked) if asked is not None else None
        if asked is None or known is None:
            known = await self._tables.by_name(project, dataset, version, sheet, field=field)
        if asked is not None:
            self._remember(asked, known)
        return known

    def _asked(self, project: str, dataset: str, version: int, sheet: str) -> _Asked | None:
        try:
            name = DatasetName.resolve(dataset, project=project, field="")
        except InvalidName:
            return None
        revision = self._revisions.revision_of(name.key) if name.project == project else 0
        return _Asked(name.key, revision, version, sheet) if revision else None

    def _remember(self, asked: _Asked, table: Table) -> None:
        self._remembered[asked] = table
        self._remembered.move_to_end(asked)
        if len(self._remembered) > TABLES_KEPT:
            self._remembered.popitem(last=False)
