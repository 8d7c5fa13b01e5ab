-- Rules, warnings, derived tables and profiles in the ledger; see ledger/quality.py.

-- name: record_rule
INSERT INTO pgsluice.rule_result (run_id, rule, kind, table_name, severity, ok, count, value, detail, evidence, seconds)
VALUES (%(run_id)s, %(rule)s, %(kind)s, %(table_name)s, %(severity)s, %(ok)s, %(count)s, %(value)s, %(detail)s,
        %(evidence)s, %(seconds)s);

-- name: record_warning
INSERT INTO pgsluice.warning (run_id, rule, table_name, file, line, raw)
VALUES (%(run_id)s, %(rule)s, %(table_name)s, %(file)s, %(line)s, %(raw)s);

-- name: record_derived
INSERT INTO pgsluice.derived (run_id, table_schema, table_name, materialization, action, rows, changed, seconds, sha256,
                              reads, note, stamp)
VALUES (%(run_id)s, %(table_schema)s, %(table_name)s, %(materialization)s, %(action)s, %(rows)s, %(changed)s,
        %(seconds)s, %(sha256)s, %(reads)s, %(note)s, %(stamp)s);

-- name: record_profile
INSERT INTO pgsluice.column_profile (run_id, table_schema, table_name, column_no, column_name, type, rows, nulls, exact,
                                     distinct_values, minimum, maximum, mean, frequent, bounds)
VALUES (%(run_id)s, %(table_schema)s, %(table_name)s, %(column_no)s, %(column_name)s, %(type)s, %(rows)s, %(nulls)s,
        %(exact)s, %(distinct)s, %(minimum)s, %(maximum)s, %(mean)s, %(frequent)s, %(bounds)s);

-- name: last_guest
SELECT coalesce(pg_catalog.max(guest_no), 0) FROM pgsluice.guest_result WHERE run_id = %(run_id)s;

-- name: record_guest
INSERT INTO pgsluice.guest_result (run_id, guest_no, place, program, project, built_for, name, kind, status, ok,
                                   failures, seconds, message)
VALUES (%(run_id)s, %(guest_no)s, %(place)s, %(program)s, %(project)s, %(built_for)s, %(name)s, %(kind)s, %(status)s,
        %(ok)s, %(failures)s, %(seconds)s, %(message)s);

-- name: newest_published
SELECT pg_catalog.max(run_id) FROM pgsluice.run WHERE status = 'published';

-- name: guest_built
-- Whether a project was built without a failure for this run or a later run.
SELECT EXISTS (
    SELECT FROM pgsluice.guest_result
     WHERE program = %(program)s AND project = %(project)s AND place = 0 AND ok AND built_for >= %(run_id)s);

-- name: kept_tables
-- Tables that runs have loaded or derived. No guest may replace them.
SELECT f.table_schema, f.table_name FROM pgsluice.file AS f
UNION
SELECT d.table_schema, d.table_name FROM pgsluice.derived AS d;

-- name: try_lock_guest
SELECT pg_catalog.pg_try_advisory_lock(%(lock_class)s, %(key)s);
