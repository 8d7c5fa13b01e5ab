-- Rejects on their way from the scratch tables to the report; see pipeline/rejects/.

-- name: longest
-- Length of the longest message in bytes.
SELECT pg_catalog.max(pg_catalog.octet_length(message)) FROM pg_temp.pgsluice_reject;

-- name: verdicts
-- Verdicts that many rejects share, in the order of their numbers.
SELECT kind, column_name, constraint_name, sqlstate, message FROM pg_temp.pgsluice_verdict ORDER BY verdict_no;

-- name: related
-- Ordinals of the rows of one table that rejects name as their parents or as earlier rows with the same key.
SELECT DISTINCT related_ordinal FROM pg_temp.pgsluice_reject WHERE related_table_no = %(table_no)s ORDER BY 1;

-- name: open
-- The rejects of the run in load order, each as a line of CSV, so that FETCH returns thousands of them at once. They are
-- sorted before they are formatted, so that formatting goes on while others are on their way.
DECLARE pgsluice_rejects NO SCROLL CURSOR FOR
SELECT q.table_no || ',' || q.ordinal || ',' || coalesce(q.line || ',' || q.file_no, ',') || ','
       || CASE WHEN q.verdict_no IS NULL
               THEN ',' || q.kind || ',"' || pg_catalog.replace(q.column_name, '"', '""') || '","'
                    || pg_catalog.replace(q.constraint_name, '"', '""') || '",' || q.sqlstate
                    || ',"' || pg_catalog.replace(q.message, '"', '""') || E'"\n'
               ELSE q.verdict_no || ',' || q.kind || E',,,,\n' END
  FROM (SELECT r.*, p.file_no, p.line
          FROM pg_temp.pgsluice_reject AS r
          LEFT JOIN pg_temp.pgsluice_related_line AS p
            ON p.table_no = r.related_table_no AND p.ordinal = r.related_ordinal
         ORDER BY r.table_no, r.ordinal) AS q;

-- name: next
-- The next rejects.
FETCH {count} FROM pgsluice_rejects;
