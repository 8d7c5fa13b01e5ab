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
                              reads)
VALUES (%(run_id)s, %(table_schema)s, %(table_name)s, %(materialization)s, %(action)s, %(rows)s, %(changed)s,
        %(seconds)s, %(sha256)s, %(reads)s);

-- name: record_profile
INSERT INTO pgsluice.column_profile (run_id, table_schema, table_name, column_no, column_name, type, rows, nulls, exact,
                                     distinct_values, minimum, maximum, mean, frequent, bounds)
VALUES (%(run_id)s, %(table_schema)s, %(table_name)s, %(column_no)s, %(column_name)s, %(type)s, %(rows)s, %(nulls)s,
        %(exact)s, %(distinct)s, %(minimum)s, %(maximum)s, %(mean)s, %(frequent)s, %(bounds)s);
