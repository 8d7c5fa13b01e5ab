-- The steps from one version of the ledger to the next.
--
-- A step is frozen when it is released: it creates what its version had, whatever ledger.sql creates today. Afterwards
-- query create of ledger.sql renews the comments and creates a table that somebody dropped.
--
-- name: to_2
-- From version 1 (pgsluice 0.1.0): the table that holds the version, and stages with today's names.
CREATE TABLE IF NOT EXISTS pgsluice.ledger_version (
    version integer PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    pgsluice text NOT NULL
);
-- Stages of interrupted resumable runs get the names that resume expects. The ordinal is their first column.
DO $$
DECLARE r record; ordinal text;
BEGIN
    FOR r IN SELECT c.oid, c.oid::regclass AS name, c.relname,
                    (SELECT a.attname FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = 1)
                        AS first
               FROM pg_catalog.pg_class AS c
              WHERE c.relnamespace = 'pgsluice'::regnamespace AND c.relkind = 'r'
                AND c.relname ~ '^((stage|doubt)_[0-9]+_[0-9]+|fault_[0-9]+)$' AND pg_catalog.pg_has_role(c.relowner,
                    'USAGE') LOOP
        IF r.relname ~ '^fault_' THEN
            EXECUTE pg_catalog.format('ALTER TABLE %s RENAME tab TO table_no', r.name);
            EXECUTE pg_catalog.format('ALTER TABLE %s RENAME ord TO ordinal', r.name);
            EXECUTE pg_catalog.format('ALTER TABLE %s RENAME col TO column_name', r.name);
            EXECUTE pg_catalog.format('ALTER TABLE %s RENAME con TO constraint_name', r.name);
            EXECUTE pg_catalog.format('ALTER TABLE %s RENAME code TO sqlstate', r.name);
        ELSE
            ordinal := 'pgsluice_ordinal';
            WHILE EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = r.oid
                AND a.attname = ordinal) LOOP
                ordinal := ordinal || '_';
            END LOOP;
            EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', r.name, r.first, ordinal);
            IF r.relname ~ '^doubt_' THEN
                EXECUTE pg_catalog.format('ALTER TABLE %s RENAME TO %I', r.name, pg_catalog.replace(r.relname,
                    'doubt_', 'text_stage_'));
            END IF;
        END IF;
    END LOOP;
END
$$;

-- name: to_3
-- From version 2 (pgsluice 0.2): tables for rules, warnings, derived tables, profiles and summaries.
CREATE TABLE IF NOT EXISTS pgsluice.rule_result (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    rule text NOT NULL,
    kind text NOT NULL,
    table_name text NOT NULL,
    severity text NOT NULL,
    ok boolean NOT NULL,
    count bigint NOT NULL,
    value text NOT NULL,
    detail text NOT NULL,
    evidence jsonb NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (run_id, rule)
);
CREATE TABLE IF NOT EXISTS pgsluice.warning (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    rule text NOT NULL,
    table_name text NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL,
    raw text NOT NULL
);
CREATE INDEX IF NOT EXISTS warning_run ON pgsluice.warning USING brin (run_id);
CREATE TABLE IF NOT EXISTS pgsluice.derived (
    made timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    run_id bigint REFERENCES pgsluice.run ON DELETE CASCADE,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    materialization text NOT NULL,
    action text NOT NULL,
    rows bigint NOT NULL,
    changed bigint NOT NULL,
    seconds double precision NOT NULL,
    sha256 text NOT NULL,
    reads text[] NOT NULL
);
CREATE INDEX IF NOT EXISTS derived_table ON pgsluice.derived (table_schema, table_name, made);
CREATE TABLE IF NOT EXISTS pgsluice.column_profile (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_no integer NOT NULL,
    column_name text NOT NULL,
    type text NOT NULL,
    rows bigint NOT NULL,
    nulls bigint NOT NULL,
    exact boolean NOT NULL,
    distinct_values double precision,
    minimum text,
    maximum text,
    mean double precision,
    frequent jsonb NOT NULL,
    bounds text[] NOT NULL,
    PRIMARY KEY (run_id, table_schema, table_name, column_no)
);
CREATE TABLE IF NOT EXISTS pgsluice.run_summary (
    run_id bigint PRIMARY KEY REFERENCES pgsluice.run ON DELETE CASCADE,
    summary json NOT NULL
);

-- name: to_4
-- From version 3: the DETAIL and the cause of each reject, the DETAIL also of those that interrupted resumable runs have
-- stored.
ALTER TABLE IF EXISTS pgsluice.reject ADD COLUMN detail text NOT NULL DEFAULT '', ADD COLUMN cause_no bigint;
DO $$
DECLARE fault regclass;
BEGIN
    FOR fault IN SELECT c.oid FROM pg_catalog.pg_class AS c
                  WHERE c.relnamespace = 'pgsluice'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^fault_[0-9]+$'
                    AND pg_catalog.pg_has_role(c.relowner, 'USAGE') LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ADD COLUMN detail text NOT NULL DEFAULT %L', fault, '');
    END LOOP;
END
$$;

-- name: to_5
-- From version 4: the table for guests.
CREATE TABLE IF NOT EXISTS pgsluice.guest_result (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    guest_no integer NOT NULL,
    place integer NOT NULL,
    program text NOT NULL,
    project text NOT NULL,
    built_for bigint NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    ok boolean NOT NULL,
    failures bigint,
    seconds double precision NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (run_id, guest_no, place)
);

-- name: to_6
-- From version 5: how groups of incremental derived tables were computed, and the state of the tables that they read.
ALTER TABLE IF EXISTS pgsluice.derived ADD COLUMN note text NOT NULL DEFAULT '', ADD COLUMN stamp jsonb;

-- name: to_7
-- From version 6: views. Query create_views of ledger.sql makes them.
SELECT 7;

-- name: to_8
-- From version 7: where each reject begins in its file.
ALTER TABLE IF EXISTS pgsluice.reject ADD COLUMN byte_offset bigint;

-- name: share_rights
-- Who may use the old tables may use those that a migration has added.
DO $$
DECLARE right_on record;
BEGIN
    FOR right_on IN SELECT pg_catalog.format('GRANT %s ON pgsluice.%I TO %s', a.privilege_type, c.relname,
                                             CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)
                               AS statement
                      FROM pg_catalog.pg_class AS old
                     CROSS JOIN LATERAL pg_catalog.aclexplode(old.relacl) AS a
                      JOIN pg_catalog.pg_class AS c ON c.relnamespace = old.relnamespace
                     WHERE old.oid = 'pgsluice.file'::regclass AND c.relacl IS NULL
                       AND (c.relkind = 'r'
                            AND c.relname IN ('rule_result', 'warning', 'derived', 'column_profile', 'run_summary',
                                'guest_result')
                            AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
                            OR c.relkind = 'v' AND c.relname IN ('runs', 'files', 'tables', 'rejects', 'phases')
                            AND a.privilege_type = 'SELECT')
                       AND a.grantee <> c.relowner LOOP
        EXECUTE right_on.statement;
    END LOOP;
END
$$;
