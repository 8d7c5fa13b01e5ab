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

-- name: reports_before
-- Paths of the reports of runs that ended before a moment.
SELECT run_id, rejects_path
  FROM pgsluice.run
 WHERE rejects_path IS NOT NULL AND status <> 'running' AND coalesce(ended, started) < %(before)s
 ORDER BY run_id;

-- name: forget_report
-- The report of a run was deleted.
UPDATE pgsluice.run SET rejects_path = NULL WHERE run_id = %(run_id)s RETURNING run_id;
