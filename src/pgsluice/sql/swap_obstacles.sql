-- name: obstacles
-- What a new table in the place of the old one could not keep, one reason per row, beyond what the query
-- `obstacles` of catalog.sql says. What depends on the table is looked for in pg_depend, whatever it is: only
-- the kinds of dependents that are made again are left out.
WITH t AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relowner, c.relnamespace, c.relkind, c.relpersistence, c.reloftype, c.reltype,
           c.reltoastrelid, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.reltablespace, y.typarray, n.nspname
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_type y ON y.oid = c.reltype
     WHERE c.oid = ANY (%(oids)s::oid[])
), me AS (
    SELECT r.oid, r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
), seq AS MATERIALIZED (
    SELECT t.oid AS table_oid, s.oid, s.relname, s.relacl, s.relowner, d.deptype
      FROM t
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                      AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
), acl AS (
    SELECT oid AS table_oid, relowner, relacl AS acl FROM t
    UNION ALL
    SELECT t.oid, t.relowner, a.attacl FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
        WHERE a.attacl IS NOT NULL
    UNION ALL
    SELECT table_oid, relowner, relacl FROM seq WHERE deptype = 'i'
), reason (table_oid, place, words) AS (
    SELECT t.oid, 1, 'the table belongs to ' || pg_catalog.pg_get_userbyid(t.relowner)
      FROM t, me WHERE t.relowner <> me.oid AND NOT me.rolsuper
    UNION ALL
    SELECT t.oid, 2, 'no right to CREATE tables in schema ' || pg_catalog.quote_ident(t.nspname)
      FROM t WHERE NOT pg_catalog.has_schema_privilege(t.relnamespace, 'CREATE')
    UNION ALL
    SELECT t.oid, 3, 'no right to CREATE in the tablespace of the table'
      FROM t WHERE CASE WHEN t.reltablespace = 0 THEN false
                        ELSE NOT pg_catalog.has_tablespace_privilege(t.reltablespace, 'CREATE') END
    UNION ALL
    SELECT oid, 4, 'it is a temporary table' FROM t WHERE relpersistence = 't'
    UNION ALL
    SELECT oid, 5, 'it is a table of type ' || pg_catalog.regexp_replace(reloftype::regtype::text, '^public[.]', '')
        FROM t WHERE reloftype <> 0
    UNION ALL
    SELECT t.oid, 6, 'trigger ' || pg_catalog.quote_ident(g.tgname)
      FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
    UNION ALL
    SELECT oid, 7, 'row level security is set up' FROM t WHERE relrowsecurity OR relforcerowsecurity
    UNION ALL
    SELECT t.oid, 7, 'policy ' || pg_catalog.quote_ident(p.polname) FROM t
        JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
    UNION ALL
    SELECT t.oid, 8, 'event trigger ' || pg_catalog.quote_ident(e.evtname) || ' watches tables come and go'
      FROM t CROSS JOIN pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'
    UNION ALL
    SELECT t.oid, 9, CASE WHEN r.oid IS NULL THEN pg_catalog.regexp_replace(pg_catalog.pg_describe_object(d.classid,
        d.objid, d.objsubid), '[[:<:]]public[.]', '', 'g')
                          WHEN v.relkind = 'v' THEN 'view ' || pg_catalog.regexp_replace(v.oid::regclass::text,
                              '^public[.]', '')
                          WHEN v.relkind = 'm' THEN 'materialised view '
                              || pg_catalog.regexp_replace(v.oid::regclass::text, '^public[.]', '')
                          ELSE 'rule ' || pg_catalog.quote_ident(r.rulename) || ' of '
                              || pg_catalog.regexp_replace(v.oid::regclass::text, '^public[.]', '') END
                                  || ' depends on it'
      FROM t
      JOIN pg_catalog.pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
                       OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.reltype, t.typarray))
      LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
      LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
     WHERE NOT (d.classid = 'pg_class'::regclass AND d.objid IN (t.oid, t.reltoastrelid))
       AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (t.reltype, t.typarray))
       AND NOT (d.classid = 'pg_class'::regclass
                AND (EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = d.objid AND i.indrelid = t.oid)
                     OR EXISTS (SELECT FROM seq WHERE seq.oid = d.objid AND seq.table_oid = t.oid)))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef a
                        WHERE d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid AND a.adrelid = t.oid)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                        WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
                          AND (k.conrelid = t.oid OR k.contype = 'f'))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
                        WHERE d.classid = 'pg_trigger'::regclass AND g.oid = d.objid AND g.tgisinternal)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext x
                        WHERE d.classid = 'pg_statistic_ext'::regclass AND x.oid = d.objid AND x.stxrelid = t.oid)
    UNION ALL
    SELECT seq.table_oid, 10, pg_catalog.regexp_replace(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid),
        '[[:<:]]public[.]', '', 'g') || ' depends on sequence '
                              || pg_catalog.quote_ident(seq.relname)
      FROM seq JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = seq.oid
     WHERE seq.deptype = 'i'
    UNION ALL
    SELECT t.oid, 11, 'it belongs to extension ' || pg_catalog.quote_ident(x.extname)
      FROM t
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.oid
                      AND d.refclassid = 'pg_extension'::regclass
      JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
    UNION ALL
    SELECT t.oid, 12, 'it has a security label'
      FROM t WHERE EXISTS (SELECT FROM pg_catalog.pg_seclabel s WHERE s.classoid = 'pg_class'::regclass
          AND s.objoid = t.oid)
    UNION ALL
    SELECT t.oid, 13, 'a subscription writes to it'
      FROM t WHERE EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = t.oid)
    UNION ALL
    SELECT acl.table_oid, 14, 'a right on it was granted by ' || pg_catalog.pg_get_userbyid(x.grantor)
      FROM acl CROSS JOIN LATERAL pg_catalog.aclexplode(acl.acl) AS x WHERE x.grantor <> acl.relowner
    UNION ALL
    SELECT t.oid, 15, 'constraint ' || pg_catalog.quote_ident(k.conname) || ' is NOT VALID'
      FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
     WHERE NOT k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
    UNION ALL
    SELECT t.oid, 16, 'foreign key ' || pg_catalog.quote_ident(k.conname) || ' of the partitioned table '
        || pg_catalog.regexp_replace(c.oid::regclass::text, '^public[.]', '')
      FROM t JOIN pg_catalog.pg_constraint k ON k.confrelid = t.oid JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
     WHERE k.contype = 'f' AND c.relkind = 'p'
)
SELECT DISTINCT table_oid::bigint AS table_oid, place, words FROM reason ORDER BY table_oid, place, words;
