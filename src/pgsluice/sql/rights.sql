-- Which rights a role lacks for a load; see pipeline/plan/rights/.

-- name: missing
-- What of the wanted rights the role lacks: the object as GRANT names it, and the rights. Tables come with the right that
-- each needs, and columns whose defaults are computed, because no file has them.
WITH relation AS (
    SELECT c.oid, c.relname, n.oid AS namespace, n.nspname,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
), computed AS (
    -- The defaults and generated columns, and the CHECKs: code that runs with the rights of the role.
    SELECT 'pg_attrdef'::regclass AS classid, d.oid AS objid
      FROM unnest(%(default_tables)s::oid[], %(default_columns)s::name[]) AS w (oid, attname)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = w.oid AND a.attname = w.attname AND a.attidentity = ''
      JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid
      FROM pg_catalog.pg_constraint AS k
     WHERE k.conrelid = ANY (%(tables)s::oid[]) AND k.contype = 'c'
), wanted (place, kind, name, "right", has) AS (
    SELECT 1, 'DATABASE', pg_catalog.quote_ident(pg_catalog.current_database()), 'TEMPORARY',
           pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')
    UNION ALL
    SELECT 2, 'SCHEMA', pg_catalog.quote_ident(r.nspname), 'USAGE',
           pg_catalog.has_schema_privilege(r.namespace, 'USAGE')
      FROM relation AS r
     WHERE r.oid = ANY (%(tables)s::oid[])
    UNION ALL
    SELECT 3, 'TABLE', r.name, w."right", pg_catalog.has_table_privilege(r.oid, w."right")
      FROM unnest(%(tables)s::oid[], %(rights)s::text[]) AS w (oid, "right")
      JOIN relation AS r USING (oid)
    UNION ALL
    SELECT 4, 'SEQUENCE', r.name, 'USAGE',
           -- CASE: PostgreSQL may evaluate this before it has found out that the relation is a sequence.
           CASE WHEN s.relkind = 'S' THEN pg_catalog.has_sequence_privilege(s.oid, 'USAGE')
                OR pg_catalog.has_sequence_privilege(s.oid, 'UPDATE') END
      FROM computed
      JOIN pg_catalog.pg_depend AS p USING (classid, objid)
      JOIN pg_catalog.pg_class AS s ON p.refclassid = 'pg_class'::regclass AND s.oid = p.refobjid AND s.relkind = 'S'
      JOIN relation AS r ON r.oid = s.oid
    UNION ALL
    SELECT 5, 'FUNCTION', p.refobjid::regprocedure::text, 'EXECUTE',
           pg_catalog.has_function_privilege(p.refobjid, 'EXECUTE')
      FROM computed
      JOIN pg_catalog.pg_depend AS p USING (classid, objid)
     WHERE p.refclassid = 'pg_proc'::regclass
    UNION ALL
    SELECT 6, 'SCHEMA', pg_catalog.quote_ident(n.nspname), w."right", pg_catalog.has_schema_privilege(n.oid, w."right")
      FROM unnest(%(schemas)s::name[], %(schema_rights)s::text[]) AS w (nspname, "right")
      JOIN pg_catalog.pg_namespace AS n USING (nspname)
    UNION ALL
    SELECT 7, 'DATABASE', pg_catalog.quote_ident(pg_catalog.current_database()), 'CREATE',
           pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
     WHERE %(create_schemas)s
)
SELECT kind, name, pg_catalog.array_agg(DISTINCT "right" ORDER BY "right")
  FROM wanted
 WHERE NOT has
 GROUP BY kind, name
 ORDER BY pg_catalog.min(place), name;

-- name: defaults
-- The columns of tables that have defaults, or are generated.
SELECT a.attrelid::bigint, a.attname::text
  FROM pg_catalog.pg_attribute AS a
 WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.atthasdef AND NOT a.attisdropped;

-- name: owners
-- The owners of relations whose rights the role does not have. Only an owner may change the definition of a relation.
SELECT DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner))
  FROM pg_catalog.pg_class AS c
 WHERE c.oid = ANY (%(oids)s::oid[]) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
 ORDER BY 1;

-- name: role
-- The role, as GRANT names it.
SELECT pg_catalog.quote_ident(current_user);

-- name: relation
-- The oid and the kind of a relation, if there is one.
SELECT c.oid::bigint, c.relkind::text
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: oids
-- The oids of relations.
SELECT c.oid::bigint
  FROM unnest(%(schemas)s::name[], %(names)s::name[]) AS w (nspname, relname)
  JOIN pg_catalog.pg_namespace AS n USING (nspname)
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relname;

-- name: first_schema
-- The first schema of the user's path that exists, whether the role may use it or not.
SELECT n.nspname::text
  FROM unnest(pg_catalog.string_to_array(coalesce(pg_catalog.current_setting('pgsluice.search_path', true),
                                                  pg_catalog.current_setting('search_path')), ','))
       WITH ORDINALITY AS entry (name, place)
  JOIN pg_catalog.pg_namespace AS n
    ON n.nspname = CASE WHEN pg_catalog.btrim(entry.name) IN ('"$user"', '$user') THEN current_user::text
                        WHEN pg_catalog.btrim(entry.name) LIKE '"%%' THEN
                             pg_catalog.replace(pg_catalog.btrim(pg_catalog.btrim(entry.name), '"'), '""', '"')
                        ELSE pg_catalog.btrim(entry.name) END
 ORDER BY entry.place
 LIMIT 1;

-- name: may_use_schema
-- Whether the role may use a schema; NULL if there is none.
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(schema)s;
