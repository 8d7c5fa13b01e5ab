-- What pgsluice reset drops; see api/resetting.py.

-- name: live_runs
-- The runs that are under way, with a server process and the database of each. Their connections hold advisory locks.
SELECT DISTINCT ON (l.database, l.objid) l.objid::bigint, l.pid, d.datname::text
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_database AS d ON d.oid = l.database
 WHERE l.locktype = 'advisory' AND l.classid = %(lock_class)s::oid AND l.granted
 ORDER BY l.database, l.objid, l.pid;

-- name: relations
-- Which of these relations exist, with their kinds.
SELECT n.nspname::text, c.relname::text, c.relkind::text
  FROM unnest(%(schemas)s::name[], %(names)s::name[]) WITH ORDINALITY AS w (nspname, relname, place)
  JOIN pg_catalog.pg_namespace AS n USING (nspname)
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relname
 WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
 ORDER BY w.place;

-- name: derived
-- The derived tables that the ledger knows and that exist.
SELECT DISTINCT n.nspname::text, c.relname::text, c.relkind::text
  FROM pgsluice.derived AS d
  JOIN pg_catalog.pg_namespace AS n ON n.nspname = d.table_schema
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = d.table_name
 WHERE c.relkind IN ('r', 'v', 'm')
 ORDER BY 1, 2;

-- name: ledger
-- How many runs and open rejects the ledger has.
SELECT (SELECT pg_catalog.count(*) FROM pgsluice.run),
       (SELECT pg_catalog.count(*) FROM pgsluice.reject WHERE replayed_by IS NULL);
