-- name: tables
-- The tables of a schema, without partitions: ordinary, partitioned and foreign tables.
SELECT c.oid::bigint AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owner_is_me
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s::name
   AND c.relkind IN ('r', 'p', 'f')
   AND NOT c.relispartition
 ORDER BY c.relname;

-- name: columns
-- The columns of the tables. `base` is the type below all domains.
WITH RECURSIVE unwrapped AS (
    SELECT t.oid AS start, t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull, t.typname,
           t.typnamespace, t.typcategory, -1 AS typmod
      FROM pg_catalog.pg_type t
     WHERE t.oid IN (SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = ANY (%(oids)s::oid[]) AND attnum > 0)
    UNION ALL
    SELECT u.start, b.oid, b.typtype, b.typbasetype, b.typtypmod, u.typnotnull OR b.typnotnull, b.typname,
           b.typnamespace, b.typcategory, u.typtypmod
      FROM unwrapped u
      JOIN pg_catalog.pg_type b ON b.oid = u.typbasetype
     WHERE u.typtype = 'd'
), base AS (
    SELECT DISTINCT oid, typtype, typcategory FROM unwrapped WHERE typtype <> 'd'
), input_type AS (
    -- The types whose operator classes take values of the base type as they are.
    SELECT oid, oid AS input FROM base
    UNION ALL
    SELECT oid, CASE WHEN typtype = 'e' THEN 'anyenum'::regtype WHEN typtype = 'r' THEN 'anyrange'::regtype
                     WHEN typtype = 'm' THEN 'anymultirange'::regtype WHEN typtype = 'c' THEN 'record'::regtype
                     WHEN typcategory = 'A' THEN 'anyarray'::regtype END
      FROM base
    UNION ALL
    SELECT base.oid, k.casttarget
      FROM base JOIN pg_catalog.pg_cast k ON k.castsource = base.oid AND k.castmethod = 'b' AND k.castcontext = 'i'
), equality AS MATERIALIZED (
    -- Equality as the default btree operator class has it (GetDefaultOpClass, indexcmds.c), or another class if there is
    -- no default. A name alone may mean another operator, or none under the safe path. Outside of pg_catalog both sides
    -- are cast, because another role may make an operator of that name for a domain.
    SELECT base.oid, coalesce(found.equality, '{left} OPERATOR(pg_catalog.=) {right}') AS equality
      FROM base
      LEFT JOIN (
           SELECT DISTINCT ON (i.oid) i.oid,
                  '{left}' || x.conversion || ' OPERATOR(' || x.schema || '.' || o.oprname || ') {right}'
                      || x.conversion
                      AS equality
             FROM input_type i
             JOIN pg_catalog.pg_type it ON it.oid = i.input
             JOIN pg_catalog.pg_opclass oc ON oc.opcmethod = 403 AND oc.opcintype = i.input -- 403: btree (pg_am.dat)
             JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3 -- equality (stratnum.h)
                            AND ao.amoplefttype = i.input AND ao.amoprighttype = i.input
             JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
            CROSS JOIN LATERAL (
                  SELECT pg_catalog.replace(pg_catalog.replace(o.oprnamespace::regnamespace::text, '{', '{{'), '}',
                      '}}') AS schema,
                         CASE WHEN o.oprnamespace = 'pg_catalog'::regnamespace OR it.typtype = 'p' THEN ''
                              ELSE '::' || pg_catalog.replace(pg_catalog.replace(pg_catalog.format_type(it.oid, NULL),
                                  '{', '{{'), '}', '}}') END
                             AS conversion) AS x
            ORDER BY i.oid, oc.opcdefault DESC, i.input = i.oid DESC, it.typispreferred DESC, oc.oid
           ) AS found ON found.oid = base.oid
)
SELECT a.attrelid::bigint AS table_oid,
       a.attname::text AS name,
       a.attnum::int AS number,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_sql,
       u.typname::text AS base,
       n.nspname::text AS base_schema,
       CASE WHEN t.typtype = 'd' THEN u.typmod ELSE a.atttypmod END AS base_typmod,
       t.typtype::text AS kind,
       -- A domain with NOT NULL forbids NULL in the column, and the default of a domain is the default of the column.
       a.attnotnull OR u.typnotnull AS not_null,
       a.attgenerated = '' AND (a.atthasdef OR t.typdefault IS NOT NULL) AS has_default,
       a.attidentity::text AS identity,
       a.attgenerated::text AS generated,
       CASE WHEN u.typtype = 'e'
            THEN ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                WHERE e.enumtypid = u.oid ORDER BY e.enumsortorder)
            ELSE '{}'::text[] END AS labels,
       sequence.name AS owned_sequence,
       -- What PostgreSQL computes for a row without the column (build_column_default, rewriteHandler.c).
       CASE WHEN a.attgenerated <> '' THEN ''
            WHEN a.attidentity <> '' THEN pg_catalog.format('pg_catalog.nextval(%%L::regclass)', sequence.name)
            ELSE coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.pg_get_expr(t.typdefaultbin, 0),
                pg_catalog.quote_literal(t.typdefault), '') END AS default_sql,
       e.equality
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN unwrapped u ON u.start = a.atttypid AND u.typtype <> 'd'
  JOIN equality e ON e.oid = u.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = u.typnamespace
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 CROSS JOIN LATERAL (
       SELECT coalesce(pg_catalog.pg_get_serial_sequence(a.attrelid::regclass::text, a.attname), '') AS name
       OFFSET 0) AS sequence
 WHERE a.attrelid = ANY (%(oids)s::oid[])
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum;

-- name: constraints
-- The constraints of the tables, and the foreign keys that reference the tables. Copies for partitions are left out.
SELECT con.oid::bigint AS oid,
       con.conrelid::bigint AS table_oid,
       con.confrelid::bigint AS referenced_oid,
       con.conname::text AS name,
       con.contype::text AS kind,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.unnest(con.conkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.attnum
              ORDER BY k.place) AS columns,
       pg_catalog.pg_get_constraintdef(con.oid) AS definition,
       coalesce(pg_catalog.pg_get_expr(con.conbin, con.conrelid), '') AS expression,
       con.condeferrable AS deferrable,
       con.condeferred AS deferred,
       con.convalidated AS validated,
       -- Read through jsonb, because PostgreSQL before 18 does not have the column.
       coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::boolean, true) AS enforced,
       pg_catalog.obj_description(con.oid, 'pg_constraint') AS comment,
       n.nspname::text AS table_schema,
       c.relname::text AS table_name,
       fn.nspname::text AS referenced_schema,
       f.relname::text AS referenced_name,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.unnest(con.confkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.attnum
              ORDER BY k.place) AS referenced_columns,
       -- The comparison that the trigger of the foreign key makes (ri_GenerateQual and ri_GenerateQualCollation,
       -- ri_triggers.c): with the operator of the constraint, both sides cast to its types where they differ, and with
       -- the collation of the referenced column. The name of an operator alone may mean another one.
       ARRAY(SELECT '{parent}' || CASE WHEN pa.atttypid <> o.oprleft THEN '::' || pg_catalog.replace(pg_catalog.replace(
                                         pg_catalog.quote_ident(ln.nspname) || '.'
                                             || pg_catalog.quote_ident(l.typname), '{', '{{'), '}', '}}')
                                       ELSE '' END
                 || ' OPERATOR(' || pg_catalog.replace(pg_catalog.replace(pg_catalog.quote_ident(opn.nspname), '{',
                     '{{'), '}', '}}') || '.' || o.oprname
                 || ') {child}' || CASE WHEN ca.atttypid <> o.oprright THEN '::'
                     || pg_catalog.replace(pg_catalog.replace(
                                         pg_catalog.quote_ident(rn.nspname) || '.'
                                             || pg_catalog.quote_ident(r.typname), '{', '{{'), '}', '}}')
                                       ELSE '' END
                 || CASE WHEN pa.attcollation NOT IN (0, ca.attcollation) AND r.typcollation <> 0
                         THEN ' COLLATE ' || pg_catalog.replace(pg_catalog.replace(pg_catalog.quote_ident(cn.nspname)
                             || '.' || pg_catalog.quote_ident(co.collname),
                                                             '{', '{{'), '}', '}}')
                         ELSE '' END
               FROM unnest(con.conpfeqop, con.confkey, con.conkey) WITH ORDINALITY AS k (op, theirs, own, place)
               JOIN pg_catalog.pg_operator o ON o.oid = k.op
               JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
               JOIN pg_catalog.pg_type l ON l.oid = o.oprleft
               JOIN pg_catalog.pg_namespace ln ON ln.oid = l.typnamespace
               JOIN pg_catalog.pg_type r ON r.oid = o.oprright
               JOIN pg_catalog.pg_namespace rn ON rn.oid = r.typnamespace
               JOIN pg_catalog.pg_attribute pa ON pa.attrelid = con.confrelid AND pa.attnum = k.theirs
               JOIN pg_catalog.pg_attribute ca ON ca.attrelid = con.conrelid AND ca.attnum = k.own
               LEFT JOIN pg_catalog.pg_collation co ON co.oid = pa.attcollation
               LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
              ORDER BY k.place) AS equality,
       con.confmatchtype = 'f' AS match_full,
       -- tgtype & 4: the trigger fires on INSERT.
       coalesce((SELECT pg_catalog.min(t.tgname::text COLLATE "C")
                   FROM pg_catalog.pg_trigger t
                  WHERE t.tgconstraint = con.oid AND t.tgrelid = con.conrelid AND t.tgtype & 4 <> 0), '') AS trigger
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class f ON f.oid = con.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
 WHERE (con.conrelid = ANY (%(oids)s::oid[]) OR con.confrelid = ANY (%(oids)s::oid[]))
   AND con.contype IN ('p', 'u', 'c', 'f', 'x')
   AND con.conparentid = 0
 ORDER BY n.nspname, c.relname, con.contype, con.conname;

-- name: indexes
-- The indexes of the tables. `plain`: two keys are equal in the index if `=` of the column's type says so. `collated`:
-- the order of the keys depends on a collation other than C. `equality`: the equality operators of the
-- operator classes, as for columns. `said`: the keys as error messages write them. '' for access methods other than btree.
SELECT i.indexrelid::bigint AS oid,
       i.indrelid::bigint AS table_oid,
       c.relname::text AS name,
       pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
       i.indisunique AS unique,
       i.indisprimary AS primary,
       keys.keys,
       coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
       i.indnullsnotdistinct AS nulls_not_distinct,
       coalesce(con.conname, '')::text AS constraint,
       coalesce(ts.spcname, '')::text AS tablespace,
       pg_catalog.obj_description(i.indexrelid, 'pg_class') AS comment,
       i.indisclustered AS clustered,
       i.indisreplident AS replica_identity,
       am.amname = 'btree' AND keys.plain AS plain,
       keys.collated,
       keys.equality,
       keys.said,
       i.indisvalid AS valid
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
  LEFT JOIN pg_catalog.pg_constraint con
    ON con.conrelid = i.indrelid AND con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(
               pg_catalog.pg_get_indexdef(i.indexrelid, k, false)
               -- pg_get_indexdef leaves the collation out if it returns a single column.
               || CASE WHEN i.indcollation[k - 1] IN (0, coalesce(col.attcollation,
                   'pg_catalog."default"'::regcollation))
                       THEN ''
                       ELSE ' COLLATE ' || pg_catalog.quote_ident(cn.nspname) || '.'
                           || pg_catalog.quote_ident(coll.collname) END
               ORDER BY k) AS keys,
           pg_catalog.bool_and(
               op.opcdefault
               AND att.attoptions IS NULL
               -- The operator class of char(n) ignores trailing blanks, and "=" of varchar and text does not.
               AND (op.opcintype <> 'bpchar'::regtype OR coalesce(nullif(t.typbasetype, 0), t.oid) = 'bpchar'::regtype)
           ) AS plain,
           pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k) AS said,
           pg_catalog.bool_or(i.indcollation[k - 1] NOT IN (0, 'pg_catalog."C"'::regcollation)) AS collated,
           pg_catalog.array_agg(coalesce('{left}' || eq.conversion || ' OPERATOR(' || eq.schema || '.' || eq.oprname
               || ') {right}'
                              || eq.conversion, '') ORDER BY k) AS equality
      FROM pg_catalog.generate_series(1, i.indnkeyatts) AS k
      JOIN pg_catalog.pg_attribute att ON att.attrelid = i.indexrelid AND att.attnum = k
      LEFT JOIN pg_catalog.pg_attribute col ON col.attrelid = i.indrelid AND col.attnum = i.indkey[k - 1]
          AND col.attnum <> 0
      JOIN pg_catalog.pg_type t ON t.oid = coalesce(col.atttypid, att.atttypid)
      JOIN pg_catalog.pg_opclass op ON op.oid = i.indclass[k - 1]
      LEFT JOIN LATERAL (
           SELECT o.oprname, pg_catalog.replace(pg_catalog.replace(o.oprnamespace::regnamespace::text, '{', '{{'), '}',
               '}}') AS schema,
                  CASE WHEN o.oprnamespace = 'pg_catalog'::regnamespace OR it.typtype = 'p' THEN ''
                       ELSE '::' || pg_catalog.replace(pg_catalog.replace(pg_catalog.format_type(it.oid, NULL), '{',
                           '{{'), '}', '}}') END AS conversion
             FROM pg_catalog.pg_amop ao
             JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
             JOIN pg_catalog.pg_type it ON it.oid = op.opcintype
            WHERE ao.amopfamily = op.opcfamily AND ao.amoplefttype = op.opcintype
              AND ao.amoprighttype = op.opcintype AND ao.amopstrategy = 3 AND ao.amopmethod = 403
           ) AS eq ON true
      LEFT JOIN pg_catalog.pg_collation coll ON coll.oid = i.indcollation[k - 1]
      LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = coll.collnamespace
 ) AS keys
 WHERE i.indrelid = ANY (%(oids)s::oid[])
 ORDER BY i.indrelid, c.relname;

-- name: obstacles
-- The obstacles of the tables: reasons against dropping keys and indexes and building them again. Code decides by
-- `kind`, a value of ObstacleKind (model/catalog.py). `text` is for people, with the names of tables as TableName writes
-- them: without the schema public. `place` sorts the obstacles of a table.
WITH t AS MATERIALIZED (
    SELECT c.oid, c.relkind, c.relnamespace, c.relpersistence, c.relowner, n.nspname
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = ANY (%(oids)s::oid[])
), idx AS MATERIALIZED (
    SELECT i.indrelid, i.indexrelid, i.indisvalid, c.relname, c.reltablespace
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid = ANY (%(oids)s::oid[])
), con AS MATERIALIZED (
    SELECT k.oid, k.conname, k.contype, k.conrelid, k.confrelid, k.conparentid,
           coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean, false) AS conperiod
      FROM pg_catalog.pg_constraint k
     WHERE (k.conrelid = ANY (%(oids)s::oid[]) OR k.confrelid = ANY (%(oids)s::oid[]))
       AND k.contype IN ('p', 'u', 'c', 'f', 'x')
), obstacle (table_oid, place, kind, text) AS (
    SELECT oid, 1, 'owner', 'the table belongs to ' || pg_catalog.pg_get_userbyid(relowner)
      FROM t WHERE NOT pg_catalog.pg_has_role(relowner, 'USAGE')
    UNION ALL
    SELECT oid, 2, 'partitioned', 'the table is partitioned' FROM t WHERE relkind = 'p'
    UNION ALL
    SELECT oid, 3, 'foreign table', 'it is a foreign table' FROM t WHERE relkind = 'f'
    UNION ALL
    SELECT t.oid, 4, 'inheritance', 'the table inherits from '
        || pg_catalog.regexp_replace(h.inhparent::regclass::text, '^public[.]', '')
      FROM t JOIN pg_catalog.pg_inherits h ON h.inhrelid = t.oid
    UNION ALL
    SELECT t.oid, 5, 'inheritance', 'table ' || pg_catalog.regexp_replace(h.inhrelid::regclass::text, '^public[.]', '')
        || ' inherits from it'
      FROM t JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid WHERE t.relkind <> 'p'
    UNION ALL
    -- tgtype & 4: the trigger fires on INSERT; tgtype & 32: on TRUNCATE; 36 = 4 | 32.
    SELECT t.oid, 6, CASE WHEN g.tgtype & 4 <> 0 THEN 'trigger' ELSE 'truncate trigger' END,
           'trigger ' || pg_catalog.quote_ident(g.tgname) || ' fires on '
                     || CASE WHEN g.tgtype & 4 <> 0 THEN 'INSERT' ELSE 'TRUNCATE' END
      FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
     WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 36 <> 0
    UNION ALL
    SELECT con.conrelid, 7, 'key trigger',
           'triggers of foreign key ' || pg_catalog.quote_ident(con.conname) || ' are switched off or altered'
      FROM con WHERE con.contype = 'f'
       AND EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = con.oid AND g.tgisinternal
           AND g.tgenabled <> 'O')
    UNION ALL
    SELECT con.confrelid, 7, 'key trigger',
           'triggers of foreign key ' || pg_catalog.quote_ident(con.conname) || ' are switched off or altered'
      FROM con WHERE con.contype = 'f' AND con.conrelid <> con.confrelid
       AND EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = con.oid AND g.tgisinternal
           AND g.tgenabled <> 'O')
    UNION ALL
    SELECT t.oid, 8, 'event trigger', 'event trigger ' || pg_catalog.quote_ident(e.evtname)
        || ' watches changes of tables'
      FROM t CROSS JOIN pg_catalog.pg_event_trigger e
     WHERE e.evtenabled <> 'D' AND e.evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite')
       AND (e.evttags IS NULL OR e.evttags && ARRAY['ALTER TABLE', 'CREATE INDEX', 'DROP INDEX'])
    UNION ALL
    SELECT t.oid, 9, 'rule', 'rule ' || pg_catalog.quote_ident(r.rulename) || ' rewrites statements on it'
      FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
     WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D'
    UNION ALL
    SELECT oid, 10, 'row security', 'row level security is in force for ' || current_user
      FROM t WHERE pg_catalog.row_security_active(oid)
    UNION ALL
    SELECT t.oid, 11, 'publication', 'publication ' || pg_catalog.quote_ident(p.pubname) || ' replicates it'
      FROM t JOIN pg_catalog.pg_publication p
        ON (p.puballtables AND t.relkind IN ('r', 'p') AND t.relpersistence = 'p')
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = t.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s
                    WHERE s.pnpubid = p.oid AND s.pnnspid = t.relnamespace AND t.relpersistence = 'p')
    UNION ALL
    SELECT conrelid, 12, 'exclusion', 'exclusion constraint ' || pg_catalog.quote_ident(conname)
      FROM con WHERE contype = 'x'
    UNION ALL
    SELECT conrelid, 13, 'period',
           'constraint ' || pg_catalog.quote_ident(conname) || ' is '
           || CASE contype WHEN 'f' THEN 'a foreign key with PERIOD' ELSE 'WITHOUT OVERLAPS' END
      FROM con WHERE conperiod
    UNION ALL
    SELECT confrelid, 13, 'period',
           'foreign key ' || pg_catalog.quote_ident(conname) || ' of '
               || pg_catalog.regexp_replace(conrelid::regclass::text, '^public[.]', '') || ' uses PERIOD'
      FROM con WHERE conperiod AND contype = 'f' AND conrelid <> confrelid
    UNION ALL
    SELECT idx.indrelid, 14, 'dependency',
           pg_catalog.regexp_replace(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), '[[:<:]]public[.]',
               '', 'g') || ' depends on index ' || pg_catalog.quote_ident(idx.relname)
      FROM idx
      JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_class'::regclass AND d.refobjid = idx.indexrelid AND d.deptype IN ('n', 'a')
      LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
     WHERE k.contype IS DISTINCT FROM 'f'
    UNION ALL
    -- A view depends on a constraint through its rule, so the text names the view instead of the rule.
    SELECT con.conrelid, 15, 'dependency',
           coalesce('view ' || pg_catalog.regexp_replace(r.ev_class::regclass::text, '^public[.]', ''),
               pg_catalog.regexp_replace(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid),
                   '[[:<:]]public[.]', '', 'g'))
           || ' depends on constraint ' || pg_catalog.quote_ident(con.conname)
      FROM con
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = con.oid
          AND d.deptype IN ('n', 'a')
      LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    UNION ALL
    SELECT idx.indrelid, 16, 'index', 'index ' || pg_catalog.quote_ident(idx.relname)
        || ' has its own statistics target'
      FROM idx
     WHERE EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = idx.indexrelid
         AND coalesce(a.attstattarget, -1) >= 0)
    UNION ALL
    SELECT idx.indrelid, 17, 'index',
           'index ' || pg_catalog.quote_ident(idx.relname) || ' belongs to extension '
               || pg_catalog.quote_ident(x.extname)
      FROM idx
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = idx.indexrelid
                      AND d.refclassid = 'pg_extension'::regclass AND d.deptype IN ('e', 'x')
      JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
    UNION ALL
    SELECT indrelid, 18, 'index', 'index ' || pg_catalog.quote_ident(relname) || ' is invalid' FROM idx
        WHERE NOT indisvalid
    UNION ALL
    SELECT con.confrelid, 19, 'owner',
           'foreign key ' || pg_catalog.quote_ident(con.conname) || ' of '
               || pg_catalog.regexp_replace(con.conrelid::regclass::text, '^public[.]', '')
           || ' points at it, a table of ' || pg_catalog.pg_get_userbyid(c.relowner)
      FROM con
      JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
     WHERE con.contype = 'f' AND con.conparentid = 0 AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
    UNION ALL
    SELECT con.conrelid, 20, 'privilege',
           'no right of REFERENCES on ' || pg_catalog.regexp_replace(con.confrelid::regclass::text, '^public[.]', '')
           || ' to build foreign key ' || pg_catalog.quote_ident(con.conname) || ' again'
      FROM con
     WHERE con.contype = 'f' AND con.conparentid = 0 AND NOT pg_catalog.has_any_column_privilege(con.confrelid,
         'REFERENCES')
    UNION ALL
    SELECT t.oid, 21, 'privilege', 'no right to CREATE indexes in schema ' || pg_catalog.quote_ident(t.nspname)
      FROM t
     WHERE NOT pg_catalog.has_schema_privilege(t.relnamespace, 'CREATE') AND t.relpersistence <> 't'
       AND EXISTS (SELECT FROM idx WHERE idx.indrelid = t.oid)
    UNION ALL
    SELECT idx.indrelid, 22, 'privilege', 'no right to CREATE in the tablespace of index '
        || pg_catalog.quote_ident(idx.relname)
      FROM idx
     WHERE CASE WHEN idx.reltablespace = 0 THEN false
                ELSE NOT pg_catalog.has_tablespace_privilege(idx.reltablespace, 'CREATE') END
)
SELECT DISTINCT table_oid::bigint AS table_oid, place, kind, text
  FROM obstacle
 WHERE table_oid = ANY (%(oids)s::oid[])
 ORDER BY table_oid, place, text;

-- name: is_empty
-- Whether a table has no row that is visible to the transaction.
SELECT NOT EXISTS (SELECT FROM {table});

-- name: check_definitions
-- The CHECKs of a table, as PostgreSQL writes them.
SELECT k.conname, pg_catalog.pg_get_constraintdef(k.oid)
  FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = %(oid)s AND k.contype = 'c';
