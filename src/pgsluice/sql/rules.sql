-- Rules of the user: how PostgreSQL understands them, and which rows break them; see pipeline/validate/rules.py.

-- name: create_view
-- The row rules of a table as columns of a view. Its definition has every name qualified, and pg_depend knows what it
-- reads. The line break ends a comment in an expression.
CREATE TEMP VIEW pgsluice_rule AS SELECT {expressions} FROM ONLY {table} AS {alias};

-- name: view_column
-- One rule in the view above.
({expression}
) AS {name}

-- name: describe_view
-- The definition of the view, the types of its columns, the columns of the table that it reads, and the other
-- relations that it reads.
WITH view AS (SELECT 'pg_temp.pgsluice_rule'::regclass AS oid), read AS (
    SELECT d.refobjid AS relation, d.refobjsubid AS number
      FROM view
      JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = view.oid
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
     WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> view.oid AND d.deptype = 'n'
)
SELECT pg_catalog.pg_get_viewdef(view.oid),
       (SELECT pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, -1) ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = view.oid AND a.attnum > 0),
       coalesce((SELECT pg_catalog.array_agg(DISTINCT read.number) FROM read WHERE read.relation = %(table)s), '{}'),
       coalesce((SELECT pg_catalog.array_agg(DISTINCT ARRAY[n.nspname::text, c.relname::text])
                   FROM read
                   JOIN pg_catalog.pg_class AS c ON c.oid = read.relation
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                  WHERE read.relation <> %(table)s), '{}')
  FROM view;

-- name: drop_view
DROP VIEW pg_temp.pgsluice_rule;

-- name: default_values
-- Defaults and generation expressions of columns, and the columns that a generation expression reads.
SELECT a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text,
       ARRAY(SELECT r.attname::text
               FROM pg_catalog.pg_depend AS p
               JOIN pg_catalog.pg_attribute AS r ON r.attrelid = p.refobjid AND r.attnum = p.refobjsubid
              WHERE p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.objid = d.oid AND p.refobjid = d.adrelid
                AND p.refobjsubid <> a.attnum)
  FROM pg_catalog.pg_attribute AS a
  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %(table)s AND a.attname = ANY (%(columns)s::text[]);

-- name: any_broken
-- Whether any row breaks a rule. Not EXISTS, for which the planner expects a row soon and takes one process: where every
-- row is good, all of them are read.
SELECT pg_catalog.count(*) > 0 FROM {rows} WHERE {broken};

-- name: broken
-- Rows that break a rule, by the first rule that is false.
INSERT INTO pg_temp.pgsluice_violation (table_no, row_id, priority)
SELECT {table_no}, f.row_id, f.priority
  FROM (SELECT {alias}.ctid, CASE {cases} END FROM {rows}) AS f (row_id, priority)
 WHERE f.priority IS NOT NULL;

-- name: keep_broken
-- Drop the violations of rows that break no rule.
DELETE FROM pg_temp.pgsluice_violation AS v
 WHERE v.table_no = {table_no}
   AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_violation AS r
                    WHERE r.table_no = v.table_no AND r.row_id = v.row_id
                      AND r.priority >= {first} AND r.priority < {end});

-- name: staged_rows
-- Staged rows with the columns that the files lack: from the row of the table that the staged row updates, or the default.
(SELECT s.ctid, {columns} FROM {stage} AS s{matches})

-- name: generated_rows
-- Staged rows with generated columns as well.
(SELECT {alias}.ctid, {columns} FROM {rows})

-- name: read_only
-- The query of a set rule may not write, and is planned to be read to its end. The rollback to the savepoint takes the
-- settings back.
SET LOCAL transaction_read_only = on;
SET LOCAL cursor_tuple_fraction = 1;

-- name: count_rows
-- How many rows a set rule's query has. Other than for a cursor, the planner may use several processes.
SELECT pg_catalog.count(*) FROM (
{query}
) AS q

-- name: declare_rows
-- The rows of a set rule's query.
DECLARE pgsluice_rows NO SCROLL CURSOR FOR {query}

-- name: first_rows
-- The first rows of a set rule's query: its evidence.
FETCH 5 FROM pgsluice_rows;

-- name: other_rows
-- How many more rows there are.
MOVE ALL FROM pgsluice_rows;

-- name: create_warnings
-- Rows that break a rule with the severity warn, by the number of the rule within its table.
CREATE TEMP TABLE IF NOT EXISTS pgsluice_warning (
    table_no integer NOT NULL,
    rule_no integer NOT NULL,
    ordinal bigint NOT NULL
) ON COMMIT DROP;

-- name: find_warnings
-- Rows that break one rule, with their ordinals.
INSERT INTO pg_temp.pgsluice_warning (table_no, rule_no, ordinal)
SELECT {table_no}, {rule_no}, n.found_ordinal FROM ({numbered}) AS n;

-- name: rows_that_break
-- Rows that break one rule.
SELECT {alias}.ctid AS row_id FROM {rows} WHERE {broken}

-- name: drop_warnings_of_rejects
-- A row that was rejected for another reason is not published, and gives no warning.
DELETE FROM pg_temp.pgsluice_warning AS w
 USING pg_temp.pgsluice_reject AS r
 WHERE r.table_no = w.table_no AND r.ordinal = w.ordinal;

-- name: count_warnings
SELECT table_no, rule_no, pg_catalog.count(*) FROM pg_temp.pgsluice_warning GROUP BY table_no, rule_no;

-- name: first_warnings
-- The first rows, in the order of the files, that break a rule.
SELECT ordinal FROM pg_temp.pgsluice_warning
 WHERE table_no = %(table_no)s AND rule_no = %(rule_no)s ORDER BY ordinal LIMIT %(most)s;

-- name: count_rejected
-- How many rejects each row rule has.
SELECT coalesce(v.constraint_name, r.constraint_name), pg_catalog.count(*)
  FROM {reject} AS r
  LEFT JOIN {verdict} AS v USING (verdict_no)
 WHERE coalesce(v.kind, r.kind) = {kind}
 GROUP BY 1;

-- name: standing
-- How many rows of a table break a rule.
SELECT pg_catalog.count(*) FROM {table} AS {alias} WHERE ({expression}) IS FALSE;
