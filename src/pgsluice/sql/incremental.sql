-- Derived tables whose touched groups are computed again; see postgres/derived/incremental.py.

-- name: parsed
-- What PostgreSQL has made of a definition: the view's own oid, its query as text and as a tree.
SELECT r.ev_class::bigint, pg_catalog.pg_get_viewdef(r.ev_class, true), r.ev_action::text
  FROM pg_catalog.pg_rewrite AS r
 WHERE r.ev_class = 'pg_temp.pgsluice_definition'::regclass;

-- name: functions
-- Functions, by themselves or behind operators.
SELECT p.proname::text, n.nspname = 'pg_catalog', p.provolatile::text, p.proretset
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE p.oid = ANY (%(functions)s::oid[])
    OR p.oid IN (SELECT o.oprcode FROM pg_catalog.pg_operator AS o WHERE o.oid = ANY (%(operators)s::oid[]));

-- name: types
-- Types that are neither PostgreSQL's own nor enumerations nor domains over PostgreSQL's own, nor arrays of them.
SELECT pg_catalog.format_type(t.oid, NULL)
  FROM pg_catalog.pg_type AS t
  LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem
  LEFT JOIN pg_catalog.pg_type AS b ON b.oid = t.typbasetype
 WHERE t.oid = ANY (%(types)s::oid[])
   AND (t.typnamespace <> 'pg_catalog'::regnamespace AND t.typtype <> 'e' AND coalesce(e.typtype, '') <> 'e'
        AND b.typnamespace IS DISTINCT FROM 'pg_catalog'::regnamespace
        OR t.typname ^@ 'reg');

-- name: relations
-- Tables that a query reads: what stands against following their rows, and their columns.
SELECT c.oid::bigint, n.nspname::text, c.relname::text,
       CASE WHEN c.relkind = 'v' THEN 'a view' WHEN c.relkind = 'm' THEN 'a materialized view'
            WHEN c.relkind <> 'r' OR c.relhassubclass OR c.relispartition THEN 'a table with partitions or heirs'
            WHEN c.relrowsecurity THEN 'a table with row level security'
            WHEN c.relpersistence = 't' THEN 'a temporary table'
            WHEN n.nspname IN ('pg_catalog', 'information_schema', 'pgsluice') THEN 'a system table'
            ELSE '' END,
       pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.oid = ANY (%(oids)s::oid[])
 GROUP BY c.oid, n.nspname;

-- name: again
-- A query from its parsed form, to be compared with what PostgreSQL makes of it.
CREATE TEMP VIEW pgsluice_again AS {query}

-- name: same_again
-- Whether PostgreSQL takes both texts for the same query.
SELECT pg_catalog.pg_get_viewdef('pg_temp.pgsluice_again'::regclass, true)
       = pg_catalog.pg_get_viewdef('pg_temp.pgsluice_definition'::regclass, true);

-- name: drop_again
DROP VIEW pg_temp.pgsluice_again;

-- name: keys
-- The columns of a derived table that are keys, with their types.
SELECT a.attname::text, t.typname::text, t.typtype::text, t.typnamespace = 'pg_catalog'::regnamespace
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
 WHERE a.attrelid = %(relation)s::regclass AND a.attname = ANY (%(keys)s::text[]) AND a.attnum > 0;

-- name: fresh_counters
-- Until now PostgreSQL may have kept counters that it had read before in this transaction.
SELECT pg_catalog.pg_stat_clear_snapshot();

-- name: counters
-- For each table its file and how many row versions have been written and how many have been ended, ever, by all
-- sessions: PostgreSQL's counters, and what this session has not added to them yet.
SELECT c.oid::bigint, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::bigint,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
       + pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
       pg_catalog.pg_stat_get_tuples_deleted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
       + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
       greatest(c.reltuples, 0)::bigint
  FROM pg_catalog.pg_class AS c
 WHERE c.oid = ANY (%(oids)s::oid[]);

-- name: settings
-- Settings on which values of a query may depend, and whether PostgreSQL counts at all.
SELECT pg_catalog.string_agg(s.name || '=' || s.setting, ' ' ORDER BY s.name), pg_catalog.current_setting('track_counts')
  FROM pg_catalog.pg_settings AS s
 WHERE s.name IN ('TimeZone', 'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output', 'lc_time',
                  'lc_numeric', 'lc_monetary');

-- name: flush
-- Other sessions see the counters of this session as soon as it has committed.
SELECT pg_catalog.pg_stat_force_next_flush();

-- name: count_changed
-- Row versions that a run has written and has ended.
SELECT (SELECT pg_catalog.count(*) FROM {new}), (SELECT pg_catalog.count(*) FROM {old});

-- name: touched
-- The keys of the groups that may differ from what the derived table holds.
CREATE TEMP TABLE pgsluice_touched ON COMMIT DROP AS {terms}

-- name: null_patterns
-- Which keys are NULL together. A comparison with = does not find them.
SELECT DISTINCT {nulls} FROM pg_temp.pgsluice_touched;

-- name: add_result
INSERT INTO pg_temp.pgsluice_result {query}
