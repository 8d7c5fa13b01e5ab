-- name: create
-- The statement that makes the new table, with what only CREATE TABLE can say.
SELECT pg_catalog.format('CREATE %%s TABLE %%I.%%I (LIKE %%I.%%I INCLUDING ALL EXCLUDING INDEXES) USING %%I %%s %%s',
              CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE '' END, n.nspname, %(shadow)s::text, n.nspname,
              c.relname, am.amname,
              'WITH (' || nullif(pg_catalog.concat_ws(', ', own.options, toast.options), '') || ')',
              'TABLESPACE ' || pg_catalog.quote_ident(s.spcname))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_catalog.pg_class tc ON tc.oid = c.reltoastrelid
 CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(pg_catalog.format('%%I = %%L', o.option_name, o.option_value), ', ')
     AS options
                       FROM pg_catalog.pg_options_to_table(c.reloptions) AS o) AS own
 CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(pg_catalog.format('toast.%%I = %%L', o.option_name, o.option_value),
     ', ') AS options
                       FROM pg_catalog.pg_options_to_table(tc.reloptions) AS o) AS toast
 WHERE c.oid = %(old)s::oid;

-- name: dress
-- The statements that give the new table what CREATE TABLE (LIKE) leaves out. Before it is analysed, for
-- statistics' targets are among them.
WITH pair AS (
    SELECT o.oid AS old, n.oid AS new, o.relowner, o.relreplident, n.oid::regclass::text AS name,
           n.relowner AS new_owner
      FROM pg_catalog.pg_class o, pg_catalog.pg_class n
     WHERE o.oid = %(old)s::oid AND n.oid = %(new)s::oid
), col AS (
    SELECT a.attnum, a.attname, a.attstattarget, a.attoptions
      FROM pair JOIN pg_catalog.pg_attribute a ON a.attrelid = pair.old AND a.attnum > 0 AND NOT a.attisdropped
), stat AS (
    SELECT o.oid, o.stxname, n.nspname, m.stxname AS new_name, mn.nspname AS new_schema, o.stxowner,
           coalesce(o.stxstattarget, -1) AS target
      FROM pair
     CROSS JOIN LATERAL (SELECT x.*, pg_catalog.row_number() OVER (ORDER BY x.oid) AS place
                           FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = pair.old) AS o
     CROSS JOIN LATERAL (SELECT x.*, pg_catalog.row_number() OVER (ORDER BY x.oid) AS place
                           FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = pair.new) AS m
      JOIN pg_catalog.pg_namespace n ON n.oid = o.stxnamespace
      JOIN pg_catalog.pg_namespace mn ON mn.oid = m.stxnamespace
     WHERE o.place = m.place
)
SELECT statement FROM (
    SELECT 1 AS step, 0 AS place, pg_catalog.format('ALTER TABLE %%s OWNER TO %%I', name,
        pg_catalog.pg_get_userbyid(relowner)) AS statement
      FROM pair WHERE relowner <> new_owner
    UNION ALL
    SELECT 2, attnum, pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET STATISTICS %%s', name, attname,
        attstattarget)
      FROM pair, col WHERE coalesce(attstattarget, -1) >= 0
    UNION ALL
    SELECT 3, attnum, pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET (%%s)', name, attname, (
               SELECT pg_catalog.string_agg(pg_catalog.format('%%I = %%L', o.option_name, o.option_value), ', ')
                 FROM pg_catalog.pg_options_to_table(attoptions) AS o))
      FROM pair, col WHERE attoptions IS NOT NULL
    UNION ALL
    SELECT 4, 0, pg_catalog.format('ALTER TABLE %%s REPLICA IDENTITY %%s', name, CASE relreplident WHEN 'f' THEN 'FULL'
        ELSE 'NOTHING' END)
      FROM pair WHERE relreplident IN ('f', 'n')
    UNION ALL
    SELECT 5, 0, pg_catalog.format('COMMENT ON TABLE %%s IS %%L', name, pg_catalog.obj_description(old, 'pg_class'))
      FROM pair WHERE pg_catalog.obj_description(old, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 6, oid::bigint, pg_catalog.format('ALTER STATISTICS %%I.%%I SET STATISTICS %%s', new_schema, new_name,
        target)
      FROM stat WHERE target >= 0
    UNION ALL
    SELECT 7, 0, pg_catalog.format('COMMENT ON SEQUENCE %%s IS %%L', pg_catalog.pg_get_serial_sequence(name, attname),
                        pg_catalog.obj_description(d.objid, 'pg_class'))
      FROM pair
      JOIN col ON true
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = old AND d.refobjsubid = attnum
                      AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
      JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
     WHERE pg_catalog.obj_description(d.objid, 'pg_class') IS NOT NULL
    UNION ALL
    -- LIKE makes it a sequence of bigint, whatever the column is.
    SELECT 8, attnum, pg_catalog.format('ALTER SEQUENCE %%s AS %%s INCREMENT %%s MINVALUE %%s MAXVALUE %%s START %%s CACHE %%s %%s',
                             pg_catalog.pg_get_serial_sequence(name, attname), pg_catalog.format_type(q.seqtypid,
                                 NULL), q.seqincrement,
                             q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE'
                                 ELSE 'NO CYCLE' END)
      FROM pair
      JOIN col ON true
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = old AND d.refobjsubid = attnum
                      AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
      JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid
) AS s ORDER BY step, place;

-- name: rights
-- The statements that give the new table, its columns and its identity sequences the old ones' rights.
WITH pair AS (
    SELECT o.oid AS old, n.oid AS new, o.relowner, n.oid::regclass::text AS name
      FROM pg_catalog.pg_class o, pg_catalog.pg_class n
     WHERE o.oid = %(old)s::oid AND n.oid = %(new)s::oid
), object AS (
    SELECT 0 AS place, 'TABLE ' || name AS what, '' AS columns,
           coalesce(o.relacl, pg_catalog.acldefault('r', o.relowner)) AS old, coalesce(n.relacl,
               pg_catalog.acldefault('r', n.relowner)) AS new
      FROM pair JOIN pg_catalog.pg_class o ON o.oid = old JOIN pg_catalog.pg_class n ON n.oid = new
    UNION ALL
    SELECT a.attnum, 'TABLE ' || name, ' (' || pg_catalog.quote_ident(a.attname) || ')', a.attacl, '{}'::aclitem[]
      FROM pair JOIN pg_catalog.pg_attribute a ON a.attrelid = old AND a.attnum > 0 AND a.attacl IS NOT NULL
    UNION ALL
    SELECT 10000 + a.attnum, 'SEQUENCE ' || q.oid::regclass, '', coalesce(s.relacl, pg_catalog.acldefault('s',
        s.relowner)),
           coalesce(q.relacl, pg_catalog.acldefault('s', q.relowner))
      FROM pair
      JOIN pg_catalog.pg_attribute a ON a.attrelid = old AND a.attidentity <> '' AND NOT a.attisdropped
      JOIN pg_catalog.pg_class s ON s.oid = pg_catalog.pg_get_serial_sequence(old::regclass::text, a.attname)::regclass
      JOIN pg_catalog.pg_class q ON q.oid = pg_catalog.pg_get_serial_sequence(name, a.attname)::regclass
)
SELECT statement FROM (
    SELECT place, 1 AS step, 0 AS item, 0 AS entry,
           pg_catalog.format('REVOKE ALL ON %%s FROM %%s', what,
                  CASE x.grantee WHEN 0 THEN 'PUBLIC'
                      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END) AS statement
      FROM object CROSS JOIN LATERAL (SELECT DISTINCT e.grantee FROM pg_catalog.aclexplode(new) AS e) AS x
     WHERE old IS DISTINCT FROM new AND columns = ''
    UNION ALL
    SELECT place, 2, i.item, x.entry,
           pg_catalog.format('GRANT %%s%%s ON %%s TO %%s%%s', x.privilege_type, columns, what,
                  CASE x.grantee WHEN 0 THEN 'PUBLIC'
                      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END,
                  CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM object
     CROSS JOIN LATERAL pg_catalog.unnest(old) WITH ORDINALITY AS i (acl, item)
     CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[i.acl]) WITH ORDINALITY AS x (grantor, grantee, privilege_type,
         is_grantable, entry)
     WHERE old IS DISTINCT FROM new
) AS s ORDER BY place, step, item, entry;

-- name: indexes
-- What an index's definition says after the table's name.
SELECT i.indexrelid::bigint AS oid,
       pg_catalog.substr(pg_catalog.pg_get_indexdef(i.indexrelid),
              pg_catalog.length(pg_catalog.format('CREATE %%sINDEX %%I ON %%I.%%I', CASE WHEN i.indisunique
                  THEN 'UNIQUE ' ELSE '' END,
                            c.relname, n.nspname, t.relname)) + 1) AS tail
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE i.indrelid = ANY (%(oids)s::oid[]);

-- name: foreign_keys
-- A foreign key's definition before and after the name of the table it points at.
SELECT k.oid::bigint AS oid,
       pg_catalog.left(d.text, p.place - 1) || ' REFERENCES ' AS head,
       pg_catalog.substr(d.text, p.place + pg_catalog.length(' REFERENCES ' || k.confrelid::regclass)) AS tail
  FROM pg_catalog.pg_constraint k
 CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_constraintdef(k.oid) AS text) AS d
 CROSS JOIN LATERAL (SELECT position(' REFERENCES ' || k.confrelid::regclass || '(' IN d.text) AS place) AS p
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND (k.conrelid = ANY (%(oids)s::oid[]) OR k.confrelid = ANY (%(oids)s::oid[]));

-- name: sequences
-- The sequences of the old table and, of identity columns, their counterparts.
SELECT n.nspname::text AS schema,
       s.relname::text AS name,
       a.attname::text AS column,
       d.deptype = 'i' AS identity,
       coalesce(pg_catalog.pg_get_serial_sequence(%(new)s::oid::regclass::text, a.attname), '') AS new
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = %(old)s::oid
   AND d.deptype IN ('a', 'i')
 ORDER BY a.attnum, s.oid;

-- name: statistics
-- The extended statistics of the old table and their counterparts: made by LIKE in the same order.
SELECT n.nspname::text AS schema, o.stxname::text AS name, mn.nspname::text AS new_schema, m.stxname::text AS new_name,
       CASE WHEN o.stxowner <> m.stxowner THEN pg_catalog.pg_get_userbyid(o.stxowner)::text END AS owner
  FROM (SELECT x.*, pg_catalog.row_number() OVER (ORDER BY x.oid) AS place FROM pg_catalog.pg_statistic_ext x
         WHERE x.stxrelid = %(old)s::oid) AS o
  JOIN (SELECT x.*, pg_catalog.row_number() OVER (ORDER BY x.oid) AS place FROM pg_catalog.pg_statistic_ext x
         WHERE x.stxrelid = %(new)s::oid) AS m ON m.place = o.place
  JOIN pg_catalog.pg_namespace n ON n.oid = o.stxnamespace
  JOIN pg_catalog.pg_namespace mn ON mn.oid = m.stxnamespace
 ORDER BY o.place;

-- name: neighbours
-- The tables, beyond these, whose foreign keys go up or down with them; only those that may be locked.
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name, c.oid::bigint AS oid
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = CASE WHEN k.conrelid = ANY (%(oids)s::oid[]) THEN k.confrelid ELSE k.conrelid
      END
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f'
   AND (k.conrelid = ANY (%(oids)s::oid[]) OR k.confrelid = ANY (%(oids)s::oid[]))
   AND c.oid <> ALL (%(oids)s::oid[])
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
   AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
 ORDER BY oid;

-- name: stamp
-- Which versions of the catalog's rows make the portrait of the tables and their sequences.
SELECT 0 AS sort, c.oid::bigint AS oid, 0 AS part, c.xmin::text AS version
  FROM pg_catalog.pg_class c
 WHERE c.oid = ANY (%(oids)s::oid[])
    OR c.oid IN (SELECT d.objid FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjid = ANY (%(oids)s::oid[]))
UNION ALL
SELECT 1, a.attrelid::bigint, a.attnum::int, a.xmin::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = ANY (%(oids)s::oid[])
 ORDER BY 1, 2, 3;

-- name: portrait
-- Everything about tables that is not data: two portraits are equal if a dump of the schema is. No oids, no
-- numbers of columns, for a new table has neither in common with the old one.
WITH t AS (SELECT c.* FROM pg_catalog.pg_class c WHERE c.oid = ANY (%(oids)s::oid[]))
SELECT 'table' AS sort, t.oid::regclass::text AS owner, t.relname::text AS name,
       ARRAY[t.relkind::text, t.relpersistence::text, pg_catalog.pg_get_userbyid(t.relowner)::text,
             coalesce(t.relacl, pg_catalog.acldefault('r', t.relowner))::text,
             (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.unnest(t.reloptions) AS o),
             (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.pg_class x,
                 pg_catalog.unnest(x.reloptions) AS o WHERE x.oid = t.reltoastrelid),
             t.reltablespace::text, t.relam::text, t.relreplident::text, t.relrowsecurity::text,
             t.relforcerowsecurity::text, t.relispartition::text, t.reloftype::text,
             pg_catalog.obj_description(t.oid, 'pg_class'),
             (SELECT y.typname::text FROM pg_catalog.pg_type y WHERE y.oid = t.reltype)] AS facts
  FROM t
UNION ALL
SELECT 'column', t.oid::regclass::text, a.attname::text,
       ARRAY[pg_catalog.row_number() OVER (PARTITION BY t.oid ORDER BY a.attnum)::text,
           pg_catalog.format_type(a.atttypid, a.atttypmod),
             a.attcollation::text, a.attnotnull::text, a.attidentity::text, a.attgenerated::text, a.attstorage::text,
             a.attcompression::text, coalesce(a.attstattarget, -1)::text,
             (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.unnest(a.attoptions) AS o),
             a.attacl::text, pg_catalog.pg_get_expr(f.adbin, f.adrelid), pg_catalog.col_description(t.oid, a.attnum),
             a.attislocal::text, a.attinhcount::text]
  FROM t
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = t.oid AND f.adnum = a.attnum
UNION ALL
SELECT 'constraint', k.conrelid::regclass::text, k.conname::text,
       ARRAY[pg_catalog.pg_get_constraintdef(k.oid), pg_catalog.obj_description(k.oid, 'pg_constraint'),
           k.contype::text,
             k.condeferrable::text, k.condeferred::text, k.convalidated::text, pg_catalog.to_jsonb(k) ->> 'conenforced',
             k.conislocal::text, k.coninhcount::text, k.connoinherit::text, k.confrelid::regclass::text,
             CASE WHEN k.contype IN ('p', 'u', 'x', 'f') THEN k.conindid::regclass::text END,
             (SELECT pg_catalog.string_agg(DISTINCT g.tgenabled::text, '' ORDER BY g.tgenabled::text)
                FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid)]
  FROM pg_catalog.pg_constraint k
 WHERE (k.conrelid IN (SELECT oid FROM t) OR k.confrelid IN (SELECT oid FROM t)) AND k.contype <> 't'
UNION ALL
SELECT 'index', i.indrelid::regclass::text, c.relname::text,
       ARRAY[pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.obj_description(c.oid, 'pg_class'),
           i.indisunique::text, i.indisprimary::text,
             i.indimmediate::text, i.indisclustered::text, i.indisreplident::text, i.indisvalid::text,
             i.indnullsnotdistinct::text, c.reltablespace::text, pg_catalog.pg_get_userbyid(c.relowner)::text,
             (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.unnest(c.reloptions) AS o),
             (SELECT pg_catalog.string_agg(a.attnum || ':' || a.attstattarget, ',' ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)]
  FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
UNION ALL
SELECT 'sequence', s.oid::regclass::text, a.attname::text,
       ARRAY[d.deptype::text, t.oid::regclass::text, pg_catalog.pg_get_userbyid(s.relowner)::text,
             coalesce(s.relacl, pg_catalog.acldefault('s', s.relowner))::text, pg_catalog.obj_description(s.oid,
                 'pg_class'),
             s.relpersistence::text, pg_catalog.format_type(q.seqtypid, NULL), q.seqstart::text, q.seqincrement::text,
             q.seqmin::text, q.seqmax::text, q.seqcache::text, q.seqcycle::text]
  FROM t
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                  AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
UNION ALL
SELECT 'statistics', n.nspname::text, x.stxname::text,
       ARRAY[t.oid::regclass::text, pg_catalog.pg_get_statisticsobjdef(x.oid), coalesce(x.stxstattarget, -1)::text,
             pg_catalog.pg_get_userbyid(x.stxowner)::text, pg_catalog.obj_description(x.oid, 'pg_statistic_ext')]
  FROM t JOIN pg_catalog.pg_statistic_ext x ON x.stxrelid = t.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = x.stxnamespace
UNION ALL
-- What a new table never has, so that whatever came to the old one meanwhile shows.
SELECT 'guest', t.oid::regclass::text, g.name,
       ARRAY[g.what]
  FROM t
 CROSS JOIN LATERAL (
    SELECT 'trigger' AS what, tgname::text AS name FROM pg_catalog.pg_trigger WHERE tgrelid = t.oid AND NOT tgisinternal
    UNION ALL
    SELECT 'rule', rulename::text FROM pg_catalog.pg_rewrite WHERE ev_class = t.oid
    UNION ALL
    SELECT 'policy', polname::text FROM pg_catalog.pg_policy WHERE polrelid = t.oid
    UNION ALL
    SELECT 'publication', prpubid::text FROM pg_catalog.pg_publication_rel WHERE prrelid = t.oid
    UNION ALL
    SELECT 'label', label FROM pg_catalog.pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = t.oid
 ) AS g;
