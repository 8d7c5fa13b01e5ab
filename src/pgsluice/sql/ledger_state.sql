-- Whether the ledger exists, can be used and can be trusted; see ledger/schema.py and ledger/trust.py.

-- name: state
-- Whether the ledger must be created or migrated, and whether this role can use the ledger. The query reads nothing but
-- the catalog, which needs no right on schema pgsluice and answers whether or not the tables exist. The last columns say
-- whether another role could run its code through the ledger; ledger/trust.py reads them.
-- Version 0: no table of the ledger exists. Version 1: the tables of pgsluice 0.1.0, which hold no version.
WITH trusted AS (
    -- Owners whose code may run with the rights of this role: the role itself, the owner of the database, superusers and,
    -- unless this role is a superuser and therefore a member of every role, the roles that it is a member of.
    SELECT r.oid
      FROM pg_catalog.pg_roles r
      JOIN pg_catalog.pg_roles me ON me.rolname = current_user
     WHERE r.oid = me.oid OR r.rolsuper OR NOT me.rolsuper AND pg_catalog.pg_has_role(r.oid, 'USAGE')
        OR r.oid = (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
), part AS (
    SELECT c.oid, c.relname, c.relkind, c.relowner, c.relrowsecurity
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'pgsluice' AND c.relname IN (
           'run', 'file', 'reject', 'ledger_version', 'staged', 'rule_result', 'warning', 'derived', 'column_profile',
           'run_summary', 'guest_result')
), shown AS (
    SELECT c.relname, c.relkind, c.relowner
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'pgsluice' AND c.relname IN ('runs', 'files', 'tables', 'rejects', 'phases')
), owned AS (
    SELECT 'SCHEMA pgsluice' AS what, nspowner AS owner FROM pg_catalog.pg_namespace WHERE nspname = 'pgsluice'
    UNION ALL
    SELECT 'TABLE pgsluice.' || relname, relowner FROM part
    UNION ALL
    SELECT 'VIEW pgsluice.' || relname, relowner FROM shown WHERE relkind = 'v'
), code (removal) AS (
    SELECT 'DROP TRIGGER ' || pg_catalog.quote_ident(g.tgname) || ' ON pgsluice.' || part.relname
      FROM part JOIN pg_catalog.pg_trigger g ON g.tgrelid = part.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT 'DROP RULE ' || pg_catalog.quote_ident(r.rulename) || ' ON pgsluice.' || part.relname
      FROM part JOIN pg_catalog.pg_rewrite r ON r.ev_class = part.oid AND r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'ALTER TABLE pgsluice.' || relname || ' DISABLE ROW LEVEL SECURITY' FROM part WHERE relrowsecurity
), flaw (words) AS (
    SELECT 'pgsluice.' || relname || ' is not an ordinary table' FROM part WHERE relkind <> 'r'
    UNION ALL
    SELECT 'pgsluice.' || relname || ' is not a view' FROM shown WHERE relkind <> 'v'
    UNION ALL
    SELECT 'pgsluice.' || relname || ' inherits from a table or a table inherits from it' FROM part
     WHERE EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE part.oid IN (h.inhparent, h.inhrelid))
    UNION ALL
    SELECT 'column ' || pg_catalog.quote_ident(a.attname) || ' of pgsluice.' || part.relname
           || ' has a type that is not PostgreSQL''s'
      FROM part
      JOIN pg_catalog.pg_attribute a ON a.attrelid = part.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE t.typnamespace <> 'pg_catalog'::regnamespace
    UNION ALL
    -- pg_depend has no rows for PostgreSQL's own functions.
    SELECT 'pgsluice.' || part.relname || ' calls ' || pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0)
      FROM part
      JOIN (SELECT 'pg_constraint'::regclass, oid, conrelid FROM pg_catalog.pg_constraint
            UNION ALL
            SELECT 'pg_attrdef'::regclass, oid, adrelid FROM pg_catalog.pg_attrdef
            UNION ALL
            SELECT 'pg_class'::regclass, indexrelid, indrelid FROM pg_catalog.pg_index
           ) AS piece (classid, objid, relation) ON piece.relation = part.oid
      JOIN pg_catalog.pg_depend d ON d.classid = piece.classid AND d.objid = piece.objid
     WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
)
SELECT n.oid IS NOT NULL AS has_schema,
       pg_catalog.count(*) FILTER (WHERE c.relname IN ('run', 'file')) = 2 AS readable,
       pg_catalog.count(*) FILTER (WHERE c.relname IN (
           'run', 'file', 'reject', 'rule_result', 'warning', 'derived', 'column_profile', 'run_summary',
           'guest_result')) = 9 AS complete,
       coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false)
           AND coalesce(pg_catalog.bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')
               AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
                                 AND (c.relname <> 'run' OR pg_catalog.has_table_privilege(c.oid, 'UPDATE')))
                        FILTER (WHERE c.relname <> 'ledger_version'), false) AS usable,
       coalesce(pg_catalog.max(pg_catalog.pg_get_expr(d.adbin, d.adrelid)::integer), least(pg_catalog.count(c.oid),
           1))::integer AS version,
       pg_catalog.max(pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner))) FILTER (WHERE c.relname = 'run')
           AS owner,
       pg_catalog.quote_ident(pg_catalog.current_database()) AS database,
       pg_catalog.quote_ident(current_user) AS role,
       (SELECT pg_catalog.min(pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(owner)))
          FROM owned WHERE owner NOT IN (SELECT oid FROM trusted)) AS stranger,
       ARRAY(SELECT 'ALTER ' || what || ' OWNER TO ' || pg_catalog.quote_ident(current_user)
               FROM owned WHERE owner NOT IN (SELECT oid FROM trusted) ORDER BY what) AS take_over,
       ARRAY(SELECT removal FROM code ORDER BY removal) AS removals,
       ARRAY(SELECT words FROM flaw ORDER BY words) AS flaws,
       ARRAY(SELECT part.relname || '.' || a.attname
               FROM part JOIN pg_catalog.pg_attribute a ON a.attrelid = part.oid
              WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY part.relname, a.attnum) AS columns
  FROM (VALUES (1)) AS one
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'pgsluice'
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
                      AND c.relname IN ('run', 'file', 'reject', 'ledger_version', 'rule_result', 'warning', 'derived',
                                        'column_profile', 'run_summary', 'guest_result')
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND c.relname = 'ledger_version' AND a.attname = 'version'
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 GROUP BY n.oid;
