-- Settings of a session: its search_path, memory and workers.

-- name: set_safe_path
-- The first statements of a session. The setting pgsluice.search_path keeps the path that the session had.
SELECT pg_catalog.set_config('pgsluice.search_path', pg_catalog.current_setting('search_path'), false);
SET search_path = pg_catalog, pg_temp;

-- name: set_user_path
-- Until the end of the transaction the path that the session had.
SELECT pg_catalog.set_config('search_path', coalesce(pg_catalog.current_setting('pgsluice.search_path', true),
                                                     pg_catalog.current_setting('search_path')), true);

-- name: keep_user_path
-- The path in force is the path of the user until the end of the transaction.
SELECT pg_catalog.set_config('pgsluice.search_path', pg_catalog.current_setting('search_path'), true)
 WHERE pg_catalog.current_setting('pgsluice.search_path', true) IS NOT NULL;

-- name: restore_safe_path
-- The safe path again, in a session that has one; for the session, because a user's statement may have set another path
-- for the session.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
 WHERE pg_catalog.current_setting('pgsluice.search_path', true) IS NOT NULL;

-- name: choose_schema
-- Until the end of the transaction the user's path consists of one schema.
SELECT pg_catalog.set_config('pgsluice.search_path', pg_catalog.quote_ident(%(schema)s), true);

-- name: current_schema
-- The first schema of the user's path that exists. The three statements travel together.
SELECT pg_catalog.set_config('search_path', coalesce(pg_catalog.current_setting('pgsluice.search_path', true),
                                                     pg_catalog.current_setting('search_path')), true);
SELECT pg_catalog.current_schema();
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
 WHERE pg_catalog.current_setting('pgsluice.search_path', true) IS NOT NULL;

-- name: target
-- The database, the role and the folder of the server's data; NULL if the role may not know the folder.
SELECT pg_catalog.current_database(), current_user,
       CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE')
            THEN pg_catalog.current_setting('data_directory') END;

-- name: memory
-- Sets the memory of an index build, and an eighth of it for each sort, each hash and the buffers of temporary tables.
-- postgres/connecting/session.py gives the reasons.
WITH memory AS MATERIALIZED (
    SELECT greatest(
        least(pg_catalog.pg_size_bytes('512MB'),
            pg_catalog.pg_size_bytes(pg_catalog.current_setting('effective_cache_size')) / 8),
        pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem'))
    ) / 1024 AS kb
)
SELECT pg_catalog.set_config('maintenance_work_mem', kb || 'kB', false) FROM memory
UNION ALL
SELECT pg_catalog.set_config(name, greatest(kb / 8, pg_catalog.pg_size_bytes(pg_catalog.current_setting(name)) / 1024)
    || 'kB', false)
  FROM memory, (VALUES ('work_mem'), ('temp_buffers')) AS eighth (name);

-- name: workers
-- Sets the workers of an index build, unless the number is set already.
SELECT pg_catalog.set_config(name, %(workers)s::text, false)
  FROM pg_catalog.pg_settings
 WHERE name = 'max_parallel_maintenance_workers'
   AND source = 'default';

-- name: no_timeouts
-- Switches the timeouts off that a hosted server, a role or a database may set: a run has idle connections and long
-- statements. What the address itself sets (options=-c ...) stays. transaction_timeout exists from PostgreSQL 17 on.
SELECT pg_catalog.set_config(name, '0', false)
  FROM pg_catalog.pg_settings
 WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                'transaction_timeout')
   AND source <> 'client';

-- name: index_share
-- How much of an index another session has built: reading the table is the first half of the work, writing the index the
-- second. Without a row no index is being built, or its share is not known.
SELECT (CASE WHEN p.phase LIKE 'building index: loading%%'
             THEN %(whole)s / 2 + %(whole)s / 2 * p.tuples_done / nullif(p.tuples_total, 0)
             WHEN p.phase LIKE 'building index: sorting%%' THEN %(whole)s / 2
             ELSE %(whole)s / 2 * p.blocks_done / nullif(p.blocks_total, 0) END)::integer
  FROM pg_catalog.pg_stat_progress_create_index AS p
 WHERE p.pid = %(pid)s AND p.datname = pg_catalog.current_database() AND p.blocks_total + p.tuples_total > 0;
