-- name: memory
-- Sets the memory of an index build, and an eighth of it for each sort, each hash and the buffers of temporary tables.
-- postgres/session.py gives the reasons.
WITH memory AS MATERIALIZED (
    SELECT greatest(
        least(pg_size_bytes('512MB'), pg_size_bytes(current_setting('effective_cache_size')) / 8),
        pg_size_bytes(current_setting('maintenance_work_mem'))
    ) / 1024 AS kb
)
SELECT set_config('maintenance_work_mem', kb || 'kB', false) FROM memory
UNION ALL
SELECT set_config(name, greatest(kb / 8, pg_size_bytes(current_setting(name)) / 1024) || 'kB', false)
  FROM memory, (VALUES ('work_mem'), ('temp_buffers')) AS eighth (name);

-- name: workers
-- Sets the workers of an index build, unless the number is set already.
SELECT set_config(name, %(workers)s::text, false)
  FROM pg_settings
 WHERE name = 'max_parallel_maintenance_workers'
   AND source = 'default';

-- name: no_timeouts
-- Switches the timeouts off that a hosted server, a role or a database may set: a run has idle connections and long
-- statements. What the address itself sets (options=-c ...) stays. transaction_timeout exists from PostgreSQL 17 on.
SELECT set_config(name, '0', false)
  FROM pg_settings
 WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                'transaction_timeout')
   AND source <> 'client';
