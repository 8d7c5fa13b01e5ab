-- The steps from one version of the ledger to the next.
--
-- A step is frozen when it is released: it creates what its version had, whatever ledger.sql creates today. Afterwards
-- query create of ledger.sql renews the comments and creates a table that somebody dropped.
--
-- name: to_2
-- From version 1 (pgsluice 0.1.0): the table that holds the version.
CREATE TABLE IF NOT EXISTS pgsluice.ledger_version (
    version integer PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    pgsluice text NOT NULL
);
