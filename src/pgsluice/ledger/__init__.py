"""The ledger: which runs there were, which files they read, which rows they rejected.

The ledger is the schema ``pgsluice`` of the target database. :mod:`~pgsluice.ledger.schema` creates and migrates it;
:mod:`~pgsluice.ledger.runs`, :mod:`~pgsluice.ledger.rejects` and :mod:`~pgsluice.ledger.replays` write what a run
has to record; :mod:`~pgsluice.ledger.queries` reads; :mod:`~pgsluice.ledger.advisory_locks` holds the locks that
show which runs are alive and which tables are being loaded. The SQL is in ``sql/ledger.sql``.

Unless a function says otherwise, its connection is the *ledger connection*: in autocommit mode, beside the main
connection, so that the ledger survives a rollback of the load.
"""
