-- Derived tables: what a definition reads, and how its result is stored; see postgres/derived/.

-- name: probe
-- The definition as a view, so that PostgreSQL says what is wrong with it and what it reads.
CREATE TEMP VIEW pgsluice_definition AS {query}

-- name: drop_probe
DROP VIEW pg_temp.pgsluice_definition;

-- name: reads
-- All relations that the view reads, through other views as well.
WITH RECURSIVE read (oid) AS (
    SELECT 'pg_temp.pgsluice_definition'::regclass::oid
    UNION
    SELECT d.refobjid
      FROM read
      JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = read.oid
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
     WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
)
SELECT n.nspname, c.relname
  FROM read
  JOIN pg_catalog.pg_class AS c USING (oid)
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid <> 'pg_temp.pgsluice_definition'::regclass
 ORDER BY 1, 2;

-- name: written
-- Tables in which this session has written or deleted rows, by whatever means: triggers and actions of foreign keys, too.
-- What was rolled back counts.
SELECT n.nspname::text, c.relname::text
  FROM pg_catalog.pg_stat_xact_user_tables AS s
 CROSS JOIN LATERAL (SELECT s.relid UNION SELECT a.relid FROM pg_catalog.pg_partition_ancestors(s.relid) AS a) AS t
  JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 AND c.relpersistence <> 't';

-- name: columns
-- Names and types of the columns of a relation.
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM pg_catalog.pg_attribute AS a
 WHERE a.attrelid = %(relation)s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

-- name: existing
-- What has the name now: r(elation), v(iew), m(aterialized view), and whether its owner is a role that this role may act as.
SELECT c.relkind::text, pg_catalog.pg_has_role(c.relowner, 'USAGE'), c.relispopulated
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: dependents
-- Views and materialized views that read the relation, through others as well.
WITH RECURSIVE reader (oid) AS (
    SELECT r.ev_class
      FROM pg_catalog.pg_depend AS d
      JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.refobjid = %(relation)s::regclass AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class
      FROM reader
      JOIN pg_catalog.pg_depend AS d ON d.refobjid = reader.oid
      JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
)
SELECT n.nspname, c.relname
  FROM reader
  JOIN pg_catalog.pg_class AS c USING (oid)
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid <> %(relation)s::regclass
 ORDER BY 1, 2;

-- name: privileges
-- The statements that give the privileges of a relation to another relation of the same name.
SELECT pg_catalog.format('GRANT %%s ON {target} TO %%s%%s', a.privilege_type,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END,
                         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_catalog.pg_class AS c
 CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
  LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
 WHERE c.oid = %(relation)s::regclass AND a.grantee <> c.relowner;

-- name: create
-- A derived table, view or materialized view.
CREATE {kind} {name} AS {query}

-- name: index
CREATE {unique}INDEX ON {name} ({columns})

-- name: result
-- The result of the query, to be compared with what the table holds.
CREATE TEMP TABLE pgsluice_result ON COMMIT DROP AS {query}

-- name: delete_gone
-- Rows whose key the result lacks.
DELETE FROM {name} AS t
 WHERE {which} AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_result AS n WHERE {same});

-- name: update_changed
-- Rows whose other columns differ from the result.
UPDATE {name} AS t SET ({columns}) = ROW({values})
  FROM pg_temp.pgsluice_result AS n
 WHERE {same} AND ROW({old})::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW({values})::pg_catalog.record;

-- name: insert_new
-- Rows of the result whose key the table lacks.
INSERT INTO {name} ({columns}) SELECT {values} FROM pg_temp.pgsluice_result AS n
 WHERE NOT EXISTS (SELECT FROM {name} AS t WHERE {same});
