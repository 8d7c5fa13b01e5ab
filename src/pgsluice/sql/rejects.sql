-- name: longest
-- How many bytes the longest message has.
SELECT max(octet_length(message)) FROM pg_temp.pgsluice_reject;

-- name: words
-- What is said of many rejects, by its number.
SELECT kind, col, con, code, message FROM pg_temp.pgsluice_why ORDER BY why;

-- name: open
-- The run's rejects in load order, each as a line of CSV: what COPY would send one by one comes by the thousand. They
-- are sorted before they are written out, so that the writing goes on while others are on their way.
DECLARE pgsluice_rejects NO SCROLL CURSOR FOR
SELECT q.tab || ',' || q.ord || ',' || coalesce(q.line || ',' || q.file, ',') || ','
       || CASE WHEN q.why IS NULL
               THEN ',' || q.kind || ',"' || replace(q.col, '"', '""') || '","' || replace(q.con, '"', '""') || '",' || q.code
                    || ',"' || replace(q.message, '"', '""') || E'"\n'
               ELSE q.why || ',' || q.kind || E',,,,\n' END
  FROM (SELECT r.*, p.file, p.line
          FROM pg_temp.pgsluice_reject AS r
          LEFT JOIN pg_temp.pgsluice_line AS p ON p.tab = r.parent_tab AND p.ord = r.parent_ord
         ORDER BY r.tab, r.ord) AS q;

-- name: next
-- The next of them.
FETCH {count} FROM pgsluice_rejects;
