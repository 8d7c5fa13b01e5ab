-- What the client must know to find suspects; see pipeline/ingest/suspects/.

-- name: parent_keys
-- The integer keys of a parent table: how many, the least, the greatest, and all of them in eight bytes each.
SELECT pg_catalog.count(*), pg_catalog.min(k.key), pg_catalog.max(k.key),
       pg_catalog.string_agg(pg_catalog.int8send(k.key), ''::bytea)
  FROM (SELECT {key}::bigint AS key FROM {parent} WHERE {key} IS NOT NULL LIMIT {most}) AS k;
