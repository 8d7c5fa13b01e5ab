-- What a report says of one run; see ledger/reports.py.

-- name: record_summary
-- json and not jsonb: jsonb refuses characters that the encoding of the database lacks.
INSERT INTO pgsluice.run_summary (run_id, summary) VALUES (%(run_id)s, %(summary)s)
ON CONFLICT (run_id) DO UPDATE SET summary = EXCLUDED.summary;

-- name: has
-- Whether the ledger has the tables of version 3. Older ledgers are read as they are.
SELECT pg_catalog.to_regclass('pgsluice.run_summary') IS NOT NULL;

-- name: has_guests
-- Whether the ledger has the table of version 5.
SELECT pg_catalog.to_regclass('pgsluice.guest_result') IS NOT NULL;

-- name: newest
SELECT pg_catalog.max(run_id) FROM pgsluice.run;

-- name: run
SELECT run_id, status, pg_catalog.to_char(started, 'YYYY-MM-DD"T"HH24:MI:SSOF'),
       coalesce(pg_catalog.to_char(ended, 'YYYY-MM-DD"T"HH24:MI:SSOF'), ''), seconds, detail, replay_of, rejects_path,
       pg_catalog.current_database(), pg_catalog.current_setting('server_version'), client, options
  FROM pgsluice.run WHERE run_id = %(run_id)s;

-- name: files
SELECT CASE WHEN table_schema = 'public' THEN table_name ELSE table_schema || '.' || table_name END, path, bytes,
       status, mode, rows_read, rows_loaded, rows_rejected, rows_replayed
  FROM pgsluice.file WHERE run_id = %(run_id)s ORDER BY file_no;

-- name: summary
SELECT summary FROM pgsluice.run_summary WHERE run_id = %(run_id)s;

-- name: rows_left
-- How many rows published runs left in each table: those of the last replace, and what later runs inserted less what
-- they deleted. NULL for a table of which a run has no summary.
WITH loaded AS (
    SELECT f.table_oid, f.run_id, r.ended, pg_catalog.sum(f.rows_loaded) AS rows,
           pg_catalog.bool_or(f.mode = 'replace' AND r.replay_of IS NULL) AS replaced,
           pg_catalog.min(CASE WHEN f.table_schema = 'public' THEN f.table_name
                               ELSE f.table_schema || '.' || f.table_name END) AS name
      FROM pgsluice.file f
      JOIN pgsluice.run r USING (run_id)
     WHERE f.status = 'loaded' AND r.status = 'published'
     GROUP BY f.table_oid, f.run_id, r.ended
), first AS (
    SELECT table_oid, pg_catalog.max(ended) FILTER (WHERE replaced) AS ended FROM loaded GROUP BY table_oid
)
SELECT l.table_oid::bigint,
       CASE WHEN pg_catalog.bool_and(l.ended = first.ended OR t.inserted IS NOT NULL)
            THEN pg_catalog.sum(CASE WHEN l.ended = first.ended THEN l.rows
                                     ELSE t.inserted - t.deleted END)::bigint END
  FROM loaded l
  JOIN first USING (table_oid)
  LEFT JOIN pgsluice.run_summary s USING (run_id)
  LEFT JOIN LATERAL (SELECT (e.value ->> 'inserted')::bigint AS inserted, (e.value ->> 'deleted')::bigint AS deleted
                       FROM pg_catalog.json_array_elements(s.summary -> 'tables') AS e
                      WHERE e.value ->> 'table' = l.name) AS t ON true
 WHERE first.ended IS NULL OR l.ended >= first.ended
 GROUP BY l.table_oid;

-- name: samples
-- The first open rejects of each group of a run.
-- Before version 4 the table has no column detail: the name then means that of the outer query.
SELECT j.run_id, j.table_name, j.file, j.line, j.kind, j.column_name, j.constraint_name, j.sqlstate, j.message,
       pg_catalog.left(j.raw, %(width)s), j.run_id, j.reject_no, j.ordinal, coalesce(j.parent_file, ''), j.parent_line,
       j.words
  FROM (SELECT ''::text AS detail) AS older
 CROSS JOIN LATERAL (
       SELECT i.*, detail AS words, pg_catalog.row_number() OVER (
                  PARTITION BY table_name, kind, column_name, constraint_name, sqlstate ORDER BY reject_no) AS place
         FROM pgsluice.reject i
        WHERE i.run_id = %(run_id)s AND i.replayed_by IS NULL) AS j
 WHERE j.place <= %(each)s
 ORDER BY j.reject_no;

-- name: rules
SELECT rule, kind, table_name, severity, ok, count, value, detail, evidence, seconds
  FROM pgsluice.rule_result WHERE run_id = %(run_id)s
 ORDER BY ok, severity = 'warn', rule;

-- name: warnings
SELECT rule, table_name, file, line, pg_catalog.left(raw, %(width)s)
  FROM pgsluice.warning WHERE run_id = %(run_id)s ORDER BY rule, file, line LIMIT %(limit)s;

-- name: derived
-- Before version 6 the table has no column note: the name then means that of the outer query.
SELECT CASE WHEN d.table_schema = 'public' THEN d.table_name ELSE d.table_schema || '.' || d.table_name END,
       d.materialization, d.action, d.rows, d.changed, d.seconds, d.sha256, d.reads, d.words
  FROM (SELECT ''::text AS note) AS older
 CROSS JOIN LATERAL (SELECT i.*, note AS words FROM pgsluice.derived i WHERE i.run_id = %(run_id)s) AS d
 ORDER BY d.made, d.table_name;

-- name: guests
-- The newest result of each project.
SELECT g.guest_no, g.place, g.program, g.project, g.name, g.built_for, g.kind, g.status, g.ok, g.seconds, g.failures,
       g.message
  FROM pgsluice.guest_result AS g
 WHERE g.run_id = %(run_id)s
   AND g.guest_no = (SELECT pg_catalog.max(o.guest_no) FROM pgsluice.guest_result AS o
                      WHERE o.run_id = g.run_id AND o.program = g.program AND o.project = g.project)
 ORDER BY g.guest_no, g.place;

-- name: profiles
SELECT table_schema, table_name, column_no, column_name, type, rows, nulls, exact, distinct_values,
       pg_catalog.left(minimum, %(width)s), pg_catalog.left(maximum, %(width)s), mean, frequent, bounds
  FROM pgsluice.column_profile WHERE run_id = %(run_id)s ORDER BY table_schema, table_name, column_no;

-- name: history
-- The newest runs up to a run, with the sums of their files.
SELECT r.run_id, r.status, pg_catalog.to_char(r.started, 'YYYY-MM-DD"T"HH24:MI:SSOF'), r.seconds,
       pg_catalog.count(DISTINCT f.table_oid), coalesce(pg_catalog.sum(f.rows_read), 0)::bigint,
       coalesce(pg_catalog.sum(f.rows_loaded), 0)::bigint, coalesce(pg_catalog.sum(f.rows_rejected), 0)::bigint,
       r.detail, coalesce(pg_catalog.sum(f.rows_replayed), 0)::bigint, r.replay_of
  FROM (SELECT * FROM pgsluice.run WHERE run_id <= %(run_id)s ORDER BY run_id DESC LIMIT %(limit)s) AS r
  LEFT JOIN pgsluice.file f USING (run_id)
 GROUP BY r.run_id, r.status, r.started, r.seconds, r.detail, r.replay_of
 ORDER BY r.run_id;
