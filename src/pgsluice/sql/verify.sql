-- name: one_snapshot
-- At the start of a transaction: look at one moment, change nothing.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: read_only
-- In the middle of a transaction: change nothing until the end of the savepoint.
SET TRANSACTION READ ONLY;

-- name: scan
-- All counts of a table in one scan.
SELECT {counts} FROM {table};

-- name: kind
-- What kind of relation it is.
SELECT c.relkind::text
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: orphans
-- Rows of a foreign key without their parent, and rows with only some of its columns filled.
SELECT count(*) FILTER (WHERE {filled} AND NOT EXISTS (SELECT FROM {parent} AS parent WHERE {matches})),
       count(*) FILTER (WHERE NOT ({filled}) AND NOT ({empty}))
  FROM {child} AS child;
