-- name: create
-- Files that resumable runs have staged, with everything that is needed to resume.
CREATE TABLE IF NOT EXISTS pgsluice.staged (
    run_id bigint NOT NULL,
    table_oid oid NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    first_ordinal bigint NOT NULL,
    rows_read bigint NOT NULL,
    rows_staged bigint NOT NULL,
    rows_in_doubt bigint NOT NULL,
    extents jsonb NOT NULL,
    table_no integer NOT NULL,
    PRIMARY KEY (run_id, table_oid, path)
);
COMMENT ON TABLE pgsluice.staged IS 'Files that unfinished resumable runs have staged; empty if there is no such run';

-- name: foreign_stage
-- A relation with the name of a stage of the run that a role without the rights of this role owns, or that bears a
-- trigger or a rule. A role that may create tables in schema pgsluice could prepare it for a coming run.
SELECT pg_catalog.quote_ident(c.relname), pg_catalog.quote_ident(owner.rolname)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = c.relowner
  JOIN pg_catalog.pg_roles AS me ON me.rolname = current_user
 WHERE c.relnamespace = pg_catalog.to_regnamespace('pgsluice')
   AND c.relname ~ ('^(stage|text_stage|fault)_' || %(run_id)s::bigint || '(_[0-9]+)?$')
   AND (owner.oid <> me.oid AND NOT owner.rolsuper
            AND (me.rolsuper OR NOT pg_catalog.pg_has_role(me.oid, owner.oid, 'USAGE'))
        OR c.relkind <> 'r'
        OR EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid));

-- name: add
-- A file is staged completely.
INSERT INTO pgsluice.staged VALUES (
    %(run_id)s, %(table_oid)s, %(path)s, %(sha256)s, %(bytes)s, %(first_ordinal)s, %(rows_read)s, %(rows_staged)s,
    %(rows_in_doubt)s, %(extents)s, %(number)s);

-- name: of_run
-- The staged files of a run.
SELECT table_oid, path, sha256, first_ordinal, rows_read, rows_staged, rows_in_doubt, extents, table_no
  FROM pgsluice.staged WHERE run_id = %(run_id)s ORDER BY table_oid, first_ordinal;

-- name: forget
-- The run needs its stages no longer.
DELETE FROM pgsluice.staged WHERE run_id = %(run_id)s;

-- name: left_behind
-- Stages of runs that no session holds any more, except those of one run. (doubt_ is the name of text stages in 0.1.)
SELECT c.oid::regclass::text AS name,
       (pg_catalog.regexp_match(c.relname, '^(?:stage|text_stage|doubt|fault)_([0-9]+)(?:_[0-9]+)?$'))[1]::bigint
  FROM pg_catalog.pg_class AS c
 WHERE c.relnamespace = pg_catalog.to_regnamespace('pgsluice') AND c.relkind = 'r'
   AND pg_catalog.to_regclass('pgsluice.staged') IS NOT NULL -- otherwise no run has made a stage
   AND c.relname ~ '^(stage|text_stage|doubt|fault)_[0-9]+(_[0-9]+)?$'
   AND (pg_catalog.regexp_match(c.relname, '_([0-9]+)'))[1]::bigint <> %(except_run)s
   AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'advisory' AND l.classid = %(class)s AND l.objsubid = 2
          AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
          AND l.objid::bigint = (pg_catalog.regexp_match(c.relname, '_([0-9]+)'))[1]::bigint & 2147483647);

-- name: reopen
-- An unfinished run continues.
UPDATE pgsluice.run SET status = 'running', ended = NULL, detail = ''
 WHERE run_id = %(run_id)s AND status IN ('interrupted', 'failed')
   AND (options ->> 'resumable')::boolean RETURNING options;
