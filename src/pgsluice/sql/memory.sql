-- name: for_transaction
-- Memory for index builds (b), and for sorts and hashes an eighth of it, until the transaction ends.
WITH b AS MATERIALIZED (
    SELECT greatest(
        least(pg_size_bytes('512MB'), pg_size_bytes(current_setting('effective_cache_size')) / 8),
        pg_size_bytes(current_setting('maintenance_work_mem'))
    ) / 1024 AS kb
)
SELECT set_config('maintenance_work_mem', kb || 'kB', true),
       set_config('work_mem', greatest(kb / 8, pg_size_bytes(current_setting('work_mem')) / 1024) || 'kB', true)
  FROM b;

-- name: for_session
-- Buffers for temporary tables, as large as what a sort may use.
SELECT set_config(
    'temp_buffers',
    greatest(
        least(pg_size_bytes('512MB'), pg_size_bytes(current_setting('effective_cache_size')) / 8) / 8,
        pg_size_bytes(current_setting('maintenance_work_mem')) / 8,
        pg_size_bytes(current_setting('temp_buffers'))
    ) / 1024 || 'kB',
    false
);
