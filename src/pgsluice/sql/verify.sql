-- name: one_snapshot
-- For the start of a transaction: all queries read the same snapshot, and none can write.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: read_only
-- For a savepoint within a transaction: no query can write before the end of the savepoint.
SET TRANSACTION READ ONLY;

-- name: scan
-- The counts of a table in one scan: rows, NULLs in columns, rows that break a CHECK.
SELECT {counts} FROM {table};

-- name: kind
-- The kind of a relation: pg_class.relkind.
SELECT c.relkind::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: orphans
-- Counts the rows whose parent row does not exist, and the rows where some columns of the foreign key are NULL and
-- others are not.
SELECT pg_catalog.count(*) FILTER (WHERE {filled} AND NOT EXISTS (SELECT FROM {parent} AS parent WHERE {matches})),
       pg_catalog.count(*) FILTER (WHERE NOT ({filled}) AND NOT ({empty}))
  FROM {child} AS child;
