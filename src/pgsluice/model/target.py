"""Where a command works: the database, its server, the role and the schema; and what a reset drops there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Target:
    """The database that a command works on. Of its address there is the host, the port and the database, no more."""

    database: str
    """The name of the database."""
    host: str
    """A name or an address; the folder of the socket of a server on this machine."""
    port: int
    """The port; of a socket a part of its name."""
    role: str
    """The role whose rights are in force (``current_user``)."""
    server_version: str
    """PostgreSQL's version, for example ``18.6``."""
    schema: str
    """The schema that holds the tables; '' if no schema of the search path exists."""
    data_dir: str = ""
    """The folder of the embedded server; '' for a server of the user's own."""
    new: bool = False
    """Of a plan: there is no such server yet, and a load makes it."""

    def as_new(self, data_dir: str) -> Target:
        """Returns the target for a server like this one that a load would make in a folder."""
        return replace(self, host=os.path.join(data_dir, "server"), data_dir=data_dir, new=True)

    def words(self, run_id: int = 0) -> str:
        """Returns the target in words: ``shop on db1:5432 as loader (PostgreSQL 18.6, schema public, run 26)``.

        The folder of an embedded server is relative if it is in the current folder.

        :param run_id: the run that works there; 0 if there is none.
        """
        version = f"PostgreSQL {self.server_version}"
        facts = [
            f"{'new ' if self.new else ''}embedded {version}" if self.data_dir else version,
            f"schema {self.schema}" if self.schema else "no schema",
        ]
        if run_id:
            facts.append(f"run {run_id}")
        return f"{self.database} {self._place()} as {self.role} ({', '.join(facts)})"

    def _place(self) -> str:
        if not self.data_dir:
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"on {host}:{self.port}"
        here = os.getcwd() + os.sep
        return f"in {self.data_dir.removeprefix(here)}"


@dataclass(frozen=True, slots=True)
class DroppedRelation:
    """A table or view that a reset drops."""

    schema: str
    """The schema."""
    name: str
    """The name within the schema."""
    kind: str
    """``table``, ``foreign table``, ``view`` or ``materialized view``."""
    rows: int
    """The number of its rows; 0 for a view."""


@dataclass(frozen=True, slots=True)
class ResetResult:
    """What a reset drops."""

    target: Target
    """The database, the role and the schema."""
    runs: int | None
    """The runs of the ledger; None if the ledger stays or does not exist."""
    rejects: int
    """The open rejects of the ledger."""
    relations: tuple[DroppedRelation, ...]
    """The derived tables, then the tables."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to drop."""
        return self.runs is None and not self.relations
