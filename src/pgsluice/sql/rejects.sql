-- name: longest
-- How many bytes the longest message has.
SELECT max(octet_length(message)) FROM pg_temp.pgsluice_reject;

-- name: open
-- The run's rejects in load order, each as a line of CSV: what COPY would send one by one comes by the thousand. They
-- are sorted before they are written out, so that the writing goes on while others are on their way. What is said of
-- many is put together once, into arrays.
DECLARE pgsluice_rejects NO SCROLL CURSOR FOR
SELECT q.tab || ',' || q.ord || ',' || coalesce(q.line::text, '') || ','
       || CASE q.kind WHEN '' THEN (ARRAY (SELECT w.kind FROM pg_temp.pgsluice_why AS w ORDER BY w.why))[q.why] ELSE q.kind END
       || coalesce(
           (ARRAY (SELECT ',"' || replace(w.col, '"', '""') || '","' || replace(w.con, '"', '""') || '",' || w.code || ',"'
                          || replace(w.message, '"', '""')
                     FROM pg_temp.pgsluice_why AS w ORDER BY w.why))[q.why],
           ',"' || replace(q.col, '"', '""') || '","' || replace(q.con, '"', '""') || '",' || q.code || ',"'
           || replace(q.message, '"', '""'))
       || coalesce(replace(
           CASE q.kind WHEN 'parent' THEN ' (its parent, ' || q.file || ' line ' || q.line || ', was rejected)'
                       ELSE ' (' || q.file || ' line ' || q.line || ' has it)' END, '"', '""'), '')
       || '","' || coalesce(replace(q.file, '"', '""'), '') || E'"\n'
  FROM (SELECT r.*, p.file, p.line
          FROM pg_temp.pgsluice_reject AS r
          LEFT JOIN pg_temp.pgsluice_line AS p ON p.tab = r.parent_tab AND p.ord = r.parent_ord
         ORDER BY r.tab, r.ord) AS q;

-- name: next
-- The next of them.
FETCH {count} FROM pgsluice_rejects;
