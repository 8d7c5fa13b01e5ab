-- Profiles of columns; see pipeline/quality/profiles.py.

-- name: counts
-- One scan of a table: rows, and for each column the values that are not NULL, bounds and mean.
SELECT pg_catalog.count(*){columns} FROM {relation}

-- name: statistics
-- What ANALYZE has found out about the columns of a table. The type of the arrays is anyarray, so they become texts.
SELECT s.attname::text, s.null_frac::double precision, s.n_distinct::double precision,
       s.most_common_vals::text::text[], s.most_common_freqs::double precision[],
       s.histogram_bounds::text::text[]
  FROM pg_catalog.pg_stats AS s
 WHERE s.schemaname = %(schema)s AND s.tablename = %(name)s AND NOT s.inherited;

-- name: size
-- How many rows a table has, as far as PostgreSQL has counted.
SELECT greatest(c.reltuples, 0)::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = %(relation)s::regclass;
