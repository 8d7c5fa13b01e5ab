-- Rejects on their way from the scratch tables to the report; see pipeline/rejects/.

-- name: longest
-- Length of the longest message with its detail, in bytes.
SELECT pg_catalog.max(pg_catalog.octet_length(message) + pg_catalog.octet_length(detail)) FROM pg_temp.pgsluice_reject;

-- name: verdicts
-- Verdicts that many rejects share, in the order of their numbers.
SELECT kind, column_name, constraint_name, sqlstate, message FROM pg_temp.pgsluice_verdict ORDER BY verdict_no;

-- name: related
-- Ordinals of the rows of one table that rejects name as their parents or as earlier rows with the same key.
SELECT DISTINCT related_ordinal FROM pg_temp.pgsluice_reject WHERE related_table_no = %(table_no)s ORDER BY 1;

-- name: create_causes
-- The rejects that are children of rejected rows, with their parents as causes for the time being.
DROP TABLE IF EXISTS pg_temp.pgsluice_cause;
CREATE TEMP TABLE pgsluice_cause ON COMMIT DROP AS
SELECT table_no, ordinal, related_table_no AS cause_table_no, related_ordinal AS cause_ordinal, false AS indirect,
       NULL::bigint AS cause_no
  FROM pg_temp.pgsluice_reject WHERE kind = 'parent' AND related_ordinal IS NOT NULL;

-- name: follow_causes
-- A cause that has a cause itself gives way to that cause.
UPDATE pg_temp.pgsluice_cause AS c
   SET cause_table_no = p.cause_table_no, cause_ordinal = p.cause_ordinal, indirect = true
  FROM pg_temp.pgsluice_cause AS p
 WHERE p.table_no = c.cause_table_no AND p.ordinal = c.cause_ordinal
   AND (p.cause_table_no <> c.cause_table_no OR p.cause_ordinal <> c.cause_ordinal)

-- name: number_causes
-- The number that each cause has among the rejects of the run.
UPDATE pg_temp.pgsluice_cause AS c SET cause_no = n.number
  FROM (SELECT table_no, ordinal, pg_catalog.row_number() OVER (ORDER BY table_no, ordinal) AS number
          FROM pg_temp.pgsluice_reject) AS n
 WHERE n.table_no = c.cause_table_no AND n.ordinal = c.cause_ordinal

-- name: consequences
-- The verdicts of the causes, with the number of rejects of each table that follow from them.
SELECT q.table_no, coalesce(nullif(q.kind, ''), w.kind), coalesce(w.column_name, q.column_name),
       coalesce(w.constraint_name, q.constraint_name), coalesce(w.sqlstate, q.sqlstate), c.table_no,
       pg_catalog.count(*), pg_catalog.bool_or(c.indirect)
  FROM pg_temp.pgsluice_cause AS c
  JOIN pg_temp.pgsluice_reject AS q ON q.table_no = c.cause_table_no AND q.ordinal = c.cause_ordinal
  LEFT JOIN pg_temp.pgsluice_verdict AS w ON w.verdict_no = q.verdict_no
 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 6

-- name: open
-- The rejects of the run in load order, each as a line of CSV, so that FETCH returns thousands of them at once. They are
-- sorted before they are formatted, so that formatting goes on while others are on their way.
DECLARE pgsluice_rejects NO SCROLL CURSOR FOR
SELECT q.table_no || ',' || q.ordinal || ',' || coalesce(q.line || ',' || q.file_no, ',') || ','
       || CASE WHEN q.verdict_no IS NULL
               THEN ',' || q.kind || ',"' || pg_catalog.replace(q.column_name, '"', '""') || '","'
                    || pg_catalog.replace(q.constraint_name, '"', '""') || '",' || q.sqlstate
                    || ',"' || pg_catalog.replace(q.message, '"', '""') || '"'
               ELSE q.verdict_no || ',' || q.kind || ',,,,' END
       || ',"' || pg_catalog.replace(q.detail, '"', '""') || '",'
       || coalesce(q.cause_no::text, '') || E'\n'
  FROM (SELECT r.*, p.file_no, p.line, c.cause_no
          FROM pg_temp.pgsluice_reject AS r
          LEFT JOIN pg_temp.pgsluice_related_line AS p
            ON p.table_no = r.related_table_no AND p.ordinal = r.related_ordinal
          LEFT JOIN pg_temp.pgsluice_cause AS c ON c.table_no = r.table_no AND c.ordinal = r.ordinal
         ORDER BY r.table_no, r.ordinal) AS q;

-- name: next
-- The next rejects.
FETCH {count} FROM pgsluice_rejects;
