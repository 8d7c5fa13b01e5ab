-- name: can_check_parents
-- Whether the parent check can stand in for the triggers of these foreign keys: no other trigger or rule fires on INSERT,
-- this role may disable triggers, and it may read the parents and lock their rows.
SELECT pg_catalog.current_setting('session_replication_role') = 'origin'
   AND (pg_catalog.current_setting('is_superuser')::boolean
        OR pg_catalog.has_parameter_privilege('session_replication_role', 'SET'))
   AND EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = %(oid)s AND relkind = 'r' AND NOT relispartition)
   AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_trigger AS t
          WHERE t.tgrelid = %(oid)s AND t.tgtype & 4 <> 0 -- TRIGGER_TYPE_INSERT (pg_trigger.h)
            AND NOT (t.tgisinternal AND t.tgenabled = 'O' AND t.tgconstraint = ANY (%(keys)s::oid[])))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = %(oid)s)
   AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_constraint AS k
           JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid
          WHERE k.contype = 'f' AND k.conrelid = %(oid)s
            AND NOT (k.oid = ANY (%(keys)s::oid[]) AND p.relkind = 'r' AND p.oid <> k.conrelid
                     AND NOT pg_catalog.row_security_active(p.oid)
                     AND pg_catalog.has_schema_privilege(p.relnamespace, 'USAGE')
                     AND pg_catalog.has_table_privilege(p.oid, 'SELECT') AND pg_catalog.has_table_privilege(p.oid,
                         'UPDATE')));

-- name: keys_unchanged
-- Whether these foreign keys still have the definitions and parents that the parent check will use.
SELECT pg_catalog.count(*) = pg_catalog.cardinality(%(keys)s::oid[])
  FROM unnest(%(keys)s::oid[], %(definitions)s::text[], %(schemas)s::name[], %(names)s::name[])
       AS was (key, definition, parent_schema, parent)
  JOIN pg_catalog.pg_constraint AS k ON k.oid = was.key AND pg_catalog.pg_get_constraintdef(k.oid) = was.definition
  JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid AND p.relname = was.parent
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace AND n.nspname = was.parent_schema;

-- name: any_orphans
-- Whether a row lacks its parent. The parents are locked first and the rows compared with the locked parents only: what
-- another transaction does meanwhile cannot remove them.
WITH held AS MATERIALIZED (
    SELECT {keys} FROM ONLY {parent} AS p WHERE EXISTS (SELECT FROM {rows} AS s WHERE {same}) FOR KEY SHARE OF p
)
SELECT EXISTS (SELECT FROM {rows} AS s WHERE {whole} AND NOT EXISTS (SELECT FROM held AS p WHERE {same}));

-- name: any_orphans_by_lookup
-- The same for a parent table that is large beside the rows: each row looks its parent up and locks it, as the trigger
-- does.
SELECT EXISTS (
    SELECT FROM {rows} AS s
     WHERE {whole} AND NOT EXISTS (SELECT FROM ONLY {parent} AS p WHERE {same} OFFSET 0 FOR KEY SHARE OF p));
