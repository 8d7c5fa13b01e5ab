"""Create the ledger, migrate it to the newest version, and tell whether it exists.

The ledger has a version, an integer. Version 1 is what pgsluice 0.1.0 wrote. A change of the tables adds 1 to
:data:`NEWEST`, changes ``create`` in ``sql/ledger.sql`` and adds the step from the version before to
``sql/ledger_migrations.sql``. Commands that only read do not migrate: the queries of ``sql/ledger.sql`` that they
execute read every version from 1 on. Users read views (``create_views``), whose columns stay.

The version is stored as the default of the column ``pgsluice.ledger_version.version``. A query that names a missing
table is an error in PostgreSQL, so the version could not be read from a row by a query that also finds out whether the
ledger exists. The default is in the catalog: one query reads it together with everything else, and needs no right on
the ledger's tables. The rows of ``pgsluice.ledger_version`` are the history.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import errors, sql
from psycopg.rows import class_row

from pgsluice.errors import DatabaseError, PrivilegeError
from pgsluice.ledger.statements import Connection, fetch_value
from pgsluice.ledger.trust import refuse_foreign
from pgsluice.sql import query
from pgsluice.version import __version__

NEWEST = 8
"""The version of the ledger that this code creates and writes."""

_CREATION_LOCK_CLASS = 0x736C63
"""The class of the advisory lock under which one session creates or migrates the ledger: "slc" in ASCII."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the catalog says of the ledger and of the current role. Names are quoted where SQL needs quotes."""

    has_schema: bool
    readable: bool
    """The tables exist that every reading command needs."""
    complete: bool
    """All tables exist."""
    usable: bool
    """The role may read and write the tables."""
    version: int
    """0: no table of the ledger exists."""
    owner: str | None
    """The owner of ``pgsluice.run``."""
    database: str
    role: str
    stranger: str | None
    """An owner of the schema or of a table who is not trusted. :mod:`pgsluice.ledger.trust` reads this field and the
    next fields."""
    take_over: list[str]
    removals: list[str]
    flaws: list[str]
    columns: list[str]


def ensure(conn: Connection) -> None:
    """Creates the ledger if it does not exist, and migrate an older one to the newest version.

    Several sessions may call this function at once. A role that may use an existing ledger of the newest version
    needs no right to create anything.

    :raises PrivilegeError: the role may not create, migrate or use the ledger; the remedy is what its owner must run.
    :raises DatabaseError: a newer pgsluice wrote the ledger, or the ledger cannot be trusted.
    """
    state = _usable_state(conn)
    if state.version < NEWEST or not state.complete:
        _create_or_migrate(conn, state)
    else:
        _refuse_unusable(state)


def check_rights(conn: Connection) -> str:
    """Checks whether :func:`ensure` would succeed, and creates nothing.

    :returns: in words what the ledger is.
    :raises PrivilegeError: the role may not create, migrate or use the ledger.
    :raises DatabaseError: a newer pgsluice wrote the ledger, or the ledger cannot be trusted.
    """
    state = _usable_state(conn)
    if state.version == NEWEST and state.complete:
        _refuse_unusable(state)
        return "the ledger in schema pgsluice can be used"
    rights: dict[str, bool] = fetch_value(conn, "rights")
    if state.version:
        if not rights["owner"]:
            raise _privilege_error(state, "the tables belong to another role")
        return f"the ledger in schema pgsluice has version {state.version}; the next load migrates it"
    if not rights["schema" if state.has_schema else "database"]:
        raise _privilege_error(state, "the right CREATE is missing")
    return "there is no ledger yet; the first load creates it in schema pgsluice"


def missing_grants(conn: Connection, *, lasting: bool) -> tuple[str, ...]:
    """Returns the statements that give the role the rights which a run needs for the ledger.

    :param lasting: the run is resumable, and makes tables in the schema of the ledger.
    :raises PrivilegeError: only the owner of the ledger can migrate it.
    :raises DatabaseError: a newer pgsluice wrote the ledger, or the ledger cannot be trusted.
    """
    state = _usable_state(conn)
    rights: dict[str, bool] = fetch_value(conn, "rights")
    to_create = () if rights["schema"] or not lasting else (f"GRANT CREATE ON SCHEMA pgsluice TO {state.role};",)
    if state.version == NEWEST and state.complete:
        return (*(() if state.usable else _uses(state)), *to_create)
    if state.version:
        if not rights["owner"]:
            raise _privilege_error(state, "the tables belong to another role")
        return to_create
    if state.has_schema:
        return () if rights["schema"] else (f"GRANT USAGE, CREATE ON SCHEMA pgsluice TO {state.role};",)
    return () if rights["database"] else (f"GRANT CREATE ON DATABASE {state.database} TO {state.role};",)


def exists(conn: Connection) -> bool:
    """Says whether the database has a ledger that the queries can read, whatever its version.

    :raises DatabaseError: a newer pgsluice wrote the ledger, or the ledger cannot be trusted.
    """
    return _usable_state(conn).readable


def _usable_state(conn: Connection) -> _State:
    """Returns the state of a ledger that can be trusted and read, or of no ledger.

    :raises DatabaseError: a newer pgsluice wrote the ledger, or the ledger cannot be trusted.
    """
    state = _state(conn)
    _refuse_newer(state)
    refuse_foreign(state)
    return state


def _refuse_unusable(state: _State) -> None:
    if not state.usable:
        raise PrivilegeError(
            f"role {state.role} may not write the ledger in schema pgsluice",
            f"As its owner: {' '.join(_uses(state))}",
        )


def _uses(state: _State) -> tuple[str, str]:
    """The statements that let a role use the ledger."""
    return (
        f"GRANT USAGE ON SCHEMA pgsluice TO {state.role};",
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA pgsluice TO {state.role};",
    )


def _state(conn: Connection) -> _State:
    with conn.cursor(row_factory=class_row(_State)) as cursor:
        state = cursor.execute(query("ledger_state", "state")).fetchone()
    assert state is not None  # the query begins with a row of VALUES
    return state


def _refuse_newer(state: _State) -> None:
    if state.version > NEWEST:
        raise DatabaseError(
            f"the ledger in schema pgsluice of database {state.database} has version {state.version};"
            f" pgsluice {__version__} knows versions up to {NEWEST}",
            "Upgrade pgsluice on this machine to the release that wrote the ledger, or a later one",
        )


def _create_or_migrate(conn: Connection, state: _State) -> None:
    try:
        with conn.transaction():
            fetch_value(conn, "lock_creation", lock_class=_CREATION_LOCK_CLASS)
            # Another session may have created or migrated the ledger while this one waited for the lock.
            state = _usable_state(conn)
            if not state.has_schema:
                conn.execute(query("ledger", "create_schema"))
            # New tables get the owner of the old ones, whichever member of that role or superuser runs this.
            fetch_value(conn, "act_as_owner")
            if state.version:
                _migrate(conn, state.version)
            conn.execute(query("ledger", "create"))
            conn.execute(query("ledger", "create_views"))
            if state.version:
                conn.execute(query("ledger_migrations", "share_rights"))
            else:
                _set_version(conn, NEWEST)
                conn.execute(query("ledger", "revoke"))
            # Another role may have created a table meanwhile, if it may create tables in the schema.
            _usable_state(conn)
    except errors.InsufficientPrivilege as error:
        raise _privilege_error(state, error.diag.message_primary or "") from error


def _migrate(conn: Connection, version: int) -> None:
    """Migrates the ledger step by step from ``version`` to the newest version."""
    for step in range(version + 1, NEWEST + 1):
        conn.execute(query("ledger_migrations", f"to_{step}"))
        _set_version(conn, step)


def _set_version(conn: Connection, version: int) -> None:
    statement = sql.SQL(query("ledger", "set_version"))
    conn.execute(statement.format(version=sql.Literal(version), pgsluice=sql.Literal(__version__)))


def _privilege_error(state: _State, said: str) -> PrivilegeError:
    """:param said: which right is missing."""
    if 0 < state.version < NEWEST:
        owner = state.owner or "the owner"
        return PrivilegeError(
            f"the ledger in schema pgsluice has version {state.version}, pgsluice {__version__} needs version {NEWEST},"
            f" and role {state.role} may not migrate it: {said}",
            f"Run pgsluice load --dry-run once as role {owner}, which owns the ledger and needs USAGE and CREATE on"
            " schema pgsluice: this migrates the ledger and loads nothing",
        )
    where = "SCHEMA pgsluice" if state.has_schema else f"DATABASE {state.database}"
    rights = "USAGE, CREATE" if state.has_schema else "CREATE"
    return PrivilegeError(
        f"role {state.role} may not make the ledger: {said}",
        f"As its owner: GRANT {rights} ON {where} TO {state.role};",
    )
