-- name: moment_ago
-- The moment before now by this much.
SELECT pg_catalog.clock_timestamp() - %(age)s::interval;

-- name: delete_rejects
-- Delete the rejects of runs that ended before a moment. The counts in pgsluice.file stay, so that they balance.
WITH deleted AS (
    DELETE FROM pgsluice.reject j
     USING pgsluice.run r
     WHERE j.run_id = r.run_id AND r.status <> 'running' AND coalesce(r.ended, r.started) < %(before)s
    RETURNING j.run_id
)
SELECT pg_catalog.count(*), pg_catalog.count(DISTINCT run_id) FROM deleted;

-- name: has_evidence
-- Whether the ledger has the tables for rules and profiles: older versions have not.
SELECT pg_catalog.to_regclass('pgsluice.column_profile') IS NOT NULL;

-- name: delete_evidence
-- Delete records and values of runs that ended before a moment: rows of which rules warned, the rows that broke set rules,
-- and the values of profiles. The counts stay, and what drift rules compare with.
WITH old AS (
    SELECT run_id FROM pgsluice.run WHERE status <> 'running' AND coalesce(ended, started) < %(before)s
), warned AS (
    DELETE FROM pgsluice.warning AS w USING old WHERE w.run_id = old.run_id RETURNING 1
), broken AS (
    UPDATE pgsluice.rule_result AS b SET evidence = '[]' FROM old
     WHERE b.run_id = old.run_id AND b.evidence <> '[]' RETURNING 1
), profiled AS (
    UPDATE pgsluice.column_profile AS p SET minimum = NULL, maximum = NULL, frequent = '[]', bounds = '{}' FROM old
     WHERE p.run_id = old.run_id
       AND (p.minimum IS NOT NULL OR p.maximum IS NOT NULL OR p.frequent <> '[]' OR p.bounds <> '{}') RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM warned), (SELECT pg_catalog.count(*) FROM broken),
       (SELECT pg_catalog.count(*) FROM profiled);

-- name: runs_before
-- Runs that ended before a moment.
SELECT run_id FROM pgsluice.run WHERE status <> 'running' AND coalesce(ended, started) < %(before)s ORDER BY run_id;

-- name: reports_before
-- Paths of the reports of runs that ended before a moment.
SELECT run_id, rejects_path
  FROM pgsluice.run
 WHERE rejects_path IS NOT NULL AND status <> 'running' AND coalesce(ended, started) < %(before)s
 ORDER BY run_id;

-- name: forget_report
-- The report of a run was deleted.
UPDATE pgsluice.run SET rejects_path = NULL WHERE run_id = %(run_id)s RETURNING run_id;
