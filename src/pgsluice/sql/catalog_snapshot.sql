-- The catalog snapshot; see postgres/catalog.py.

-- name: snapshot
-- The catalog snapshot of the tables: what must be equal before and after keys and indexes are dropped and rebuilt.
-- It contains no oids of keys and indexes, because they change.
SELECT 'constraint' AS sort,
       con.conrelid::regclass::text AS owner,
       con.conname::text AS name,
       ARRAY[pg_catalog.pg_get_constraintdef(con.oid),
             pg_catalog.obj_description(con.oid, 'pg_constraint'),
             con.contype::text,
             con.condeferrable::text,
             con.condeferred::text,
             con.convalidated::text,
             pg_catalog.to_jsonb(con) ->> 'conenforced',
             con.conislocal::text,
             con.coninhcount::text,
             con.connoinherit::text,
             con.conkey::text,
             con.confkey::text,
             con.conpfeqop::text,
             CASE WHEN con.contype IN ('p', 'u', 'x') THEN i.relname::text END,
             -- Not for a foreign key: it may use another unique index over the same columns than before.
             CASE WHEN con.contype = 'f' THEN con.confrelid::regclass::text END,
             (SELECT pg_catalog.string_agg(DISTINCT g.tgenabled::text, '' ORDER BY g.tgenabled::text)
                FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = con.oid)] AS facts
  FROM pg_catalog.pg_constraint con
  LEFT JOIN pg_catalog.pg_class i ON i.oid = con.conindid
 WHERE (con.conrelid = ANY (%(oids)s::oid[]) OR con.confrelid = ANY (%(oids)s::oid[]))
   AND con.contype <> 't'
UNION ALL
SELECT 'index',
       i.indrelid::regclass::text,
       c.relname::text,
       ARRAY[pg_catalog.pg_get_indexdef(i.indexrelid),
             pg_catalog.obj_description(i.indexrelid, 'pg_class'),
             i.indisunique::text,
             i.indisprimary::text,
             i.indisexclusion::text,
             i.indimmediate::text,
             i.indisclustered::text,
             i.indisreplident::text,
             i.indisvalid::text,
             i.indisready::text,
             i.indnullsnotdistinct::text,
             c.reloptions::text,
             (SELECT spcname::text FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace),
             (SELECT pg_catalog.string_agg(a.attnum || ':' || a.attstattarget, ',' ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0),
             (SELECT k.conname::text FROM pg_catalog.pg_constraint k
               WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))]
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = ANY (%(oids)s::oid[])
UNION ALL
SELECT 'table',
       c.oid::regclass::text,
       c.relname::text,
       ARRAY[c.relreplident::text,
             c.relpersistence::text,
             (SELECT pg_catalog.string_agg(a.attname::text, ',' ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnotnull AND a.attnum > 0)]
  FROM pg_catalog.pg_class c
 WHERE c.oid = ANY (%(oids)s::oid[]);
