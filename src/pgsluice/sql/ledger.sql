-- name: lock_creation
-- One session at a time creates or migrates the ledger.
SELECT pg_catalog.pg_advisory_xact_lock(%(lock_class)s, 0);

-- name: rights
-- Whether this role may create the schema, create tables in it, and change the tables.
SELECT pg_catalog.jsonb_build_object(
    'database', pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
    'schema', coalesce(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('pgsluice'), 'CREATE'), false),
    -- Without to_regclass(), which needs the right to use the schema.
    'owner', coalesce((SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c
                        WHERE c.relnamespace = pg_catalog.to_regnamespace('pgsluice') AND c.relname = 'run'), false));

-- name: create_schema
-- The ledger's schema. Without IF NOT EXISTS: a schema that another role creates meanwhile is an error.
CREATE SCHEMA pgsluice;

-- name: revoke
-- Default privileges (ALTER DEFAULT PRIVILEGES) may give everybody rights on a new schema and its tables.
REVOKE ALL ON SCHEMA pgsluice FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA pgsluice FROM PUBLIC;

-- name: act_as_owner
-- Become the owner of the existing tables until the end of the transaction, if this role is a member of that role.
SELECT pg_catalog.set_config('role', pg_catalog.pg_get_userbyid(c.relowner), true)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'pgsluice' AND c.relname = 'run' AND c.relkind = 'r'
   AND c.relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
   AND pg_catalog.pg_has_role(c.relowner, 'USAGE');

-- name: set_version
-- The version that the ledger has now, for query state, and a row for the history.
ALTER TABLE pgsluice.ledger_version ALTER COLUMN version SET DEFAULT {version};
INSERT INTO pgsluice.ledger_version (pgsluice) VALUES ({pgsluice}) ON CONFLICT DO NOTHING;

-- name: create
-- The tables of the newest version. After a migration these statements create no table, but renew the comments.
COMMENT ON SCHEMA pgsluice IS 'Ledger of pgsluice: every run, its files, its rejects.';

CREATE TABLE IF NOT EXISTS pgsluice.ledger_version (
    version integer PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    pgsluice text NOT NULL
);
COMMENT ON TABLE pgsluice.ledger_version IS 'Versions of these tables. The default of column version is the version that the tables have now; the rows are the history.';
COMMENT ON COLUMN pgsluice.ledger_version.version IS 'A version that the tables had or have. Version 1, of pgsluice 0.1.0, has no row.';
COMMENT ON COLUMN pgsluice.ledger_version.since IS 'When the tables were created with this version or migrated to it.';
COMMENT ON COLUMN pgsluice.ledger_version.pgsluice IS 'The release of pgsluice that created or migrated the tables.';

CREATE TABLE IF NOT EXISTS pgsluice.run (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ended timestamptz,
    status text NOT NULL CHECK (status IN (
        'running', 'published', 'vetoed', 'dry_run', 'skipped', 'failed', 'interrupted')),
    seconds double precision,
    options jsonb NOT NULL,
    detail text NOT NULL DEFAULT '',
    rejects_path text,
    pid integer NOT NULL,
    client text NOT NULL,
    replay_of bigint REFERENCES pgsluice.run ON DELETE CASCADE
);
COMMENT ON TABLE pgsluice.run IS 'One row for each call of pgsluice load or replay. pgsluice resume continues a row.';
COMMENT ON COLUMN pgsluice.run.status IS 'running, published (the rows are in the tables), vetoed (more rejects than allowed), dry_run, skipped (all files were loaded before), failed, interrupted (the process ended early).';
COMMENT ON COLUMN pgsluice.run.seconds IS 'Duration of the run, in seconds of wall time.';
COMMENT ON COLUMN pgsluice.run.options IS 'Options and paths of the call, the role that loaded, and the release of pgsluice.';
COMMENT ON COLUMN pgsluice.run.detail IS 'Why the run did not publish.';
COMMENT ON COLUMN pgsluice.run.rejects_path IS 'Path of the report, on the machine of the client.';
COMMENT ON COLUMN pgsluice.run.pid IS 'Server process of the ledger connection.';
COMMENT ON COLUMN pgsluice.run.client IS 'Host name and process id of the client, as host:pid.';
COMMENT ON COLUMN pgsluice.run.replay_of IS 'In a replay: the run whose corrected rejects are loaded. Otherwise NULL.';

CREATE TABLE IF NOT EXISTS pgsluice.file (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    file_no integer NOT NULL,
    table_oid oid NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('loaded', 'skipped', 'vetoed')),
    rows_read bigint NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    rows_replayed bigint NOT NULL DEFAULT 0,
    columns text[] NOT NULL DEFAULT '{}',
    dialect jsonb NOT NULL DEFAULT '{}',
    mode text NOT NULL DEFAULT 'append',
    PRIMARY KEY (run_id, file_no),
    CONSTRAINT file_balances CHECK (status <> 'loaded' OR rows_read = rows_loaded + rows_rejected + rows_replayed)
);
CREATE INDEX IF NOT EXISTS file_table_bytes ON pgsluice.file (table_oid, bytes);
COMMENT ON TABLE pgsluice.file IS 'The files of each run. rows_read = rows_loaded + rows_rejected + rows_replayed if status is loaded.';
COMMENT ON COLUMN pgsluice.file.table_oid IS 'Oid of the table. A table that was dropped and created again has another oid: its files count as not loaded.';
COMMENT ON COLUMN pgsluice.file.sha256 IS 'SHA-256 of the bytes of the file on disk. In a replay: of the corrected report.';
COMMENT ON COLUMN pgsluice.file.status IS 'loaded, skipped (an earlier run loaded this content into this table), vetoed (the run published nothing).';
COMMENT ON COLUMN pgsluice.file.rows_rejected IS 'Open rejects. Rejects that a replay has loaded are counted in rows_replayed.';
COMMENT ON COLUMN pgsluice.file.rows_replayed IS 'Rejects of this run that a replay has loaded. The replay counts them in its own rows_loaded.';
COMMENT ON COLUMN pgsluice.file.mode IS 'append, upsert, insert-missing, replace. Only with append rows_loaded is the number of rows that the table gained.';
COMMENT ON COLUMN pgsluice.file.columns IS 'Columns of the table in the order of the fields of a record; the empty text where a field is left out.';
COMMENT ON COLUMN pgsluice.file.dialect IS 'Dialect of the file: delimiter, quote, encoding, header, null.';

CREATE TABLE IF NOT EXISTS pgsluice.reject (
    run_id bigint NOT NULL,
    reject_no bigint NOT NULL,
    table_name text NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL,
    ordinal bigint NOT NULL,
    kind text NOT NULL,
    column_name text NOT NULL,
    constraint_name text NOT NULL,
    sqlstate text NOT NULL,
    message text NOT NULL,
    raw text NOT NULL,
    parent_file text,
    parent_line bigint,
    replayed_by bigint,
    detail text NOT NULL DEFAULT '',
    cause_no bigint,
    byte_offset bigint
);
CREATE INDEX IF NOT EXISTS reject_run ON pgsluice.reject USING brin (run_id);
COMMENT ON TABLE pgsluice.reject IS 'The rejects of each run. The table has no primary key and no foreign key, which would cost time for each of a million rows.';
COMMENT ON COLUMN pgsluice.reject.line IS 'Line of the file on which the record begins, from 1.';
COMMENT ON COLUMN pgsluice.reject.ordinal IS 'Number of the record in the file, from 1, without the header.';
COMMENT ON COLUMN pgsluice.reject.kind IS 'structure, value, not_null, check, unique, foreign_key, parent, exclusion, trigger, policy, other.';
COMMENT ON COLUMN pgsluice.reject.raw IS 'The text of the record in the file.';
COMMENT ON COLUMN pgsluice.reject.parent_file IS 'File of the rejected parent row, or of the earlier row that has the same key. NULL for other rejects.';
COMMENT ON COLUMN pgsluice.reject.parent_line IS 'Line of parent_file on which that row begins.';
COMMENT ON COLUMN pgsluice.reject.reject_no IS 'Number of the reject, from 1, in load order. In a replay: the number of the record in the run that is replayed.';
COMMENT ON COLUMN pgsluice.reject.detail IS 'What PostgreSQL says in addition to the message (DETAIL, HINT), for example which key.';
COMMENT ON COLUMN pgsluice.reject.cause_no IS 'Of kind parent: reject_no of the reject that is the cause, the parent or the parent of the parent. NULL in a replay.';
COMMENT ON COLUMN pgsluice.reject.byte_offset IS 'Byte of the file at which the record begins, from 0. NULL if the file is packed or not UTF-8, and in a replay.';
COMMENT ON COLUMN pgsluice.reject.replayed_by IS 'The run that loaded the corrected record; NULL while the reject is open.';

CREATE TABLE IF NOT EXISTS pgsluice.rule_result (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    rule text NOT NULL,
    kind text NOT NULL,
    table_name text NOT NULL,
    severity text NOT NULL,
    ok boolean NOT NULL,
    count bigint NOT NULL,
    value text NOT NULL,
    detail text NOT NULL,
    evidence jsonb NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (run_id, rule)
);
CREATE TABLE IF NOT EXISTS pgsluice.warning (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    rule text NOT NULL,
    table_name text NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL,
    raw text NOT NULL
);
CREATE INDEX IF NOT EXISTS warning_run ON pgsluice.warning USING brin (run_id);
CREATE TABLE IF NOT EXISTS pgsluice.derived (
    made timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    run_id bigint REFERENCES pgsluice.run ON DELETE CASCADE,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    materialization text NOT NULL,
    action text NOT NULL,
    rows bigint NOT NULL,
    changed bigint NOT NULL,
    seconds double precision NOT NULL,
    sha256 text NOT NULL,
    reads text[] NOT NULL,
    note text NOT NULL DEFAULT '',
    stamp jsonb
);
CREATE INDEX IF NOT EXISTS derived_table ON pgsluice.derived (table_schema, table_name, made);
CREATE TABLE IF NOT EXISTS pgsluice.column_profile (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_no integer NOT NULL,
    column_name text NOT NULL,
    type text NOT NULL,
    rows bigint NOT NULL,
    nulls bigint NOT NULL,
    exact boolean NOT NULL,
    distinct_values double precision,
    minimum text,
    maximum text,
    mean double precision,
    frequent jsonb NOT NULL,
    bounds text[] NOT NULL,
    PRIMARY KEY (run_id, table_schema, table_name, column_no)
);
CREATE TABLE IF NOT EXISTS pgsluice.run_summary (
    run_id bigint PRIMARY KEY REFERENCES pgsluice.run ON DELETE CASCADE,
    summary json NOT NULL
);
CREATE TABLE IF NOT EXISTS pgsluice.guest_result (
    run_id bigint NOT NULL REFERENCES pgsluice.run ON DELETE CASCADE,
    guest_no integer NOT NULL,
    place integer NOT NULL,
    program text NOT NULL,
    project text NOT NULL,
    built_for bigint NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    ok boolean NOT NULL,
    failures bigint,
    seconds double precision NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (run_id, guest_no, place)
);
COMMENT ON TABLE pgsluice.run_summary IS 'What a report says of a run beyond the other tables: load order, strategies and foreign keys of its tables, seconds of its phases, remedies.';
COMMENT ON TABLE pgsluice.rule_result IS 'What became of each rule that a run asked. Also of runs that were vetoed.';
COMMENT ON COLUMN pgsluice.rule_result.kind IS 'row (a condition on each row of a table) or set (a query over the tables).';
COMMENT ON COLUMN pgsluice.rule_result.severity IS 'reject, veto or warn.';
COMMENT ON COLUMN pgsluice.rule_result.count IS 'Rows that break the rule. Of a set rule with bounds: 0 or 1.';
COMMENT ON COLUMN pgsluice.rule_result.value IS 'The value of a set rule with bounds.';
COMMENT ON COLUMN pgsluice.rule_result.evidence IS 'The first rows of a set rule: the names of the columns, then the values.';
COMMENT ON TABLE pgsluice.warning IS 'The first rows of each file that break a row rule with the severity warn, and are published. rule_result.count counts all.';
COMMENT ON TABLE pgsluice.derived IS 'What runs, and pgsluice derive, did with derived tables. The newest row of a table says which definition made it.';
COMMENT ON COLUMN pgsluice.derived.run_id IS 'NULL for pgsluice derive.';
COMMENT ON COLUMN pgsluice.derived.action IS 'created, rebuilt (its definition changed), refreshed (computed as a whole), updated (the touched groups).';
COMMENT ON COLUMN pgsluice.derived.changed IS 'Rows inserted, updated and deleted.';
COMMENT ON COLUMN pgsluice.derived.note IS 'Of an incremental derived table: how many groups were computed, or why all of them were.';
COMMENT ON COLUMN pgsluice.derived.stamp IS 'Of an incremental derived table: the state of the tables that it reads, by which the next run knows whether it knows all changes.';
COMMENT ON TABLE pgsluice.column_profile IS 'What the columns of a table held when a run was published. Holds values of the tables.';
COMMENT ON COLUMN pgsluice.column_profile.exact IS 'Rows, NULLs, mean and the bounds of numbers and dates were counted. Otherwise they come from the statistics of PostgreSQL.';
COMMENT ON COLUMN pgsluice.column_profile.frequent IS 'Most frequent values with their shares of the rows, from the statistics of PostgreSQL.';
COMMENT ON COLUMN pgsluice.column_profile.bounds IS 'Bounds that divide the other values into parts of equal size.';
COMMENT ON TABLE pgsluice.guest_result IS 'What became of the projects of other programs that ran after a run (--then).';
COMMENT ON COLUMN pgsluice.guest_result.run_id IS 'The run whose rows the project was to use. A project that failed may have run again for the same run.';
COMMENT ON COLUMN pgsluice.guest_result.guest_no IS 'Number of the result within the run, from 1.';
COMMENT ON COLUMN pgsluice.guest_result.place IS '0: the project as a whole. From 1: its parts in the order of the program.';
COMMENT ON COLUMN pgsluice.guest_result.project IS 'Folder of the project, on the machine of the client.';
COMMENT ON COLUMN pgsluice.guest_result.built_for IS 'The newest published run when the project began.';
COMMENT ON COLUMN pgsluice.guest_result.kind IS 'project, or what the program calls the part: model, test, seed, snapshot.';
COMMENT ON COLUMN pgsluice.guest_result.status IS 'In the word of the program: success, pass, warn, fail, error, skipped.';
COMMENT ON COLUMN pgsluice.guest_result.failures IS 'Rows that fail a test.';

-- name: create_views
-- The views that users read: their columns stay. They have the names of the JSON output; table, column and constraint,
-- which SQL reserves, end in _name. A step of a migration that changes a column of a table below has to drop them first.
-- security_invoker: who reads a view needs the rights on the tables.
CREATE OR REPLACE VIEW pgsluice.runs WITH (security_invoker = true) AS
SELECT r.run_id, r.status, r.started, r.ended, r.seconds, r.options ->> 'role' AS role, r.options -> 'paths' AS paths,
       r.replay_of, f.tables, f.files, f.bytes, f.read, f.loaded, f.rejected, f.replayed, r.detail,
       r.options ->> 'pgsluice' AS version, r.client, r.options
  FROM pgsluice.run AS r
 CROSS JOIN LATERAL (
       SELECT pg_catalog.count(DISTINCT i.table_oid) AS tables, pg_catalog.count(*) AS files,
              coalesce(pg_catalog.sum(i.bytes), 0)::bigint AS bytes,
              coalesce(pg_catalog.sum(i.rows_read), 0)::bigint AS read,
              coalesce(pg_catalog.sum(i.rows_loaded), 0)::bigint AS loaded,
              coalesce(pg_catalog.sum(i.rows_rejected), 0)::bigint AS rejected,
              coalesce(pg_catalog.sum(i.rows_replayed), 0)::bigint AS replayed
         FROM pgsluice.file AS i WHERE i.run_id = r.run_id) AS f;
COMMENT ON VIEW pgsluice.runs IS 'The runs. The columns of this view stay.';
COMMENT ON COLUMN pgsluice.runs.run_id IS 'The number of the run.';
COMMENT ON COLUMN pgsluice.runs.status IS 'running, published, vetoed, dry_run, skipped, failed, interrupted.';
COMMENT ON COLUMN pgsluice.runs.seconds IS 'How long the run took.';
COMMENT ON COLUMN pgsluice.runs.role IS 'The role that loaded.';
COMMENT ON COLUMN pgsluice.runs.paths IS 'The paths of the call, as a JSON array.';
COMMENT ON COLUMN pgsluice.runs.replay_of IS 'In a replay: the run whose corrected rejects were loaded.';
COMMENT ON COLUMN pgsluice.runs.tables IS 'How many tables had files.';
COMMENT ON COLUMN pgsluice.runs.files IS 'How many files the run had.';
COMMENT ON COLUMN pgsluice.runs.bytes IS 'Bytes of the files.';
COMMENT ON COLUMN pgsluice.runs.read IS 'Rows read.';
COMMENT ON COLUMN pgsluice.runs.loaded IS 'Rows loaded.';
COMMENT ON COLUMN pgsluice.runs.rejected IS 'Rejects that no replay has loaded.';
COMMENT ON COLUMN pgsluice.runs.replayed IS 'Rejects that a replay has loaded.';
COMMENT ON COLUMN pgsluice.runs.detail IS 'Why the run did not publish.';
COMMENT ON COLUMN pgsluice.runs.version IS 'The version of pgsluice.';
COMMENT ON COLUMN pgsluice.runs.client IS 'Host name and process of the client, as host:pid.';
COMMENT ON COLUMN pgsluice.runs.options IS 'The options of the call. What is in it may change with the version.';

CREATE OR REPLACE VIEW pgsluice.files WITH (security_invoker = true) AS
SELECT f.run_id, f.file_no,
       CASE WHEN f.table_schema = 'public' THEN f.table_name ELSE f.table_schema || '.' || f.table_name END
           AS table_name,
       f.path, f.bytes, f.sha256, f.status, f.mode, f.rows_read AS read, f.rows_loaded AS loaded,
       f.rows_rejected AS rejected, f.rows_replayed AS replayed
  FROM pgsluice.file AS f;
COMMENT ON VIEW pgsluice.files IS 'The files of each run. The columns of this view stay.';
COMMENT ON COLUMN pgsluice.files.run_id IS 'The number of the run.';
COMMENT ON COLUMN pgsluice.files.file_no IS 'The number of the file in the run, from 0, in load order.';
COMMENT ON COLUMN pgsluice.files.table_name IS 'The table; with its schema unless that is public.';
COMMENT ON COLUMN pgsluice.files.path IS 'The path or the address of the file.';
COMMENT ON COLUMN pgsluice.files.bytes IS 'The size of the file.';
COMMENT ON COLUMN pgsluice.files.sha256 IS 'SHA-256 of the content.';
COMMENT ON COLUMN pgsluice.files.status IS 'loaded, skipped (an earlier run loaded the content), vetoed (the run published nothing).';
COMMENT ON COLUMN pgsluice.files.mode IS 'append, upsert, insert-missing, replace.';
COMMENT ON COLUMN pgsluice.files.read IS 'Rows read.';
COMMENT ON COLUMN pgsluice.files.loaded IS 'Rows loaded.';
COMMENT ON COLUMN pgsluice.files.rejected IS 'Rejects that no replay has loaded.';
COMMENT ON COLUMN pgsluice.files.replayed IS 'Rejects that a replay has loaded.';

CREATE OR REPLACE VIEW pgsluice.tables WITH (security_invoker = true) AS
SELECT f.run_id, f.table_name, f.mode, s.strategy, f.files, f.bytes, f.read, f.loaded, f.rejected, f.replayed,
       s.inserted, s.updated, s.unchanged, s.deleted
  FROM (SELECT i.run_id, i.table_name, pg_catalog.min(i.mode) AS mode, pg_catalog.count(*) AS files,
               pg_catalog.sum(i.bytes)::bigint AS bytes, pg_catalog.sum(i.read)::bigint AS read,
               pg_catalog.sum(i.loaded)::bigint AS loaded, pg_catalog.sum(i.rejected)::bigint AS rejected,
               pg_catalog.sum(i.replayed)::bigint AS replayed
          FROM pgsluice.files AS i GROUP BY i.run_id, i.table_name) AS f
  LEFT JOIN pgsluice.run_summary AS r ON r.run_id = f.run_id
  LEFT JOIN LATERAL (
       SELECT t.value ->> 'way' AS strategy, (t.value ->> 'inserted')::bigint AS inserted,
              (t.value ->> 'updated')::bigint AS updated, (t.value ->> 'unchanged')::bigint AS unchanged,
              (t.value ->> 'deleted')::bigint AS deleted
         FROM pg_catalog.json_array_elements(r.summary -> 'tables') AS t
        WHERE t.value ->> 'table' = f.table_name) AS s ON true;
COMMENT ON VIEW pgsluice.tables IS 'The tables of each run. The columns of this view stay.';
COMMENT ON COLUMN pgsluice.tables.run_id IS 'The number of the run.';
COMMENT ON COLUMN pgsluice.tables.table_name IS 'The table; with its schema unless that is public.';
COMMENT ON COLUMN pgsluice.tables.mode IS 'append, upsert, insert-missing, replace.';
COMMENT ON COLUMN pgsluice.tables.strategy IS 'in place, stage, new table. NULL where the run ended early, as the next four columns.';
COMMENT ON COLUMN pgsluice.tables.files IS 'How many files the table had.';
COMMENT ON COLUMN pgsluice.tables.bytes IS 'Bytes of the files.';
COMMENT ON COLUMN pgsluice.tables.read IS 'Rows read.';
COMMENT ON COLUMN pgsluice.tables.loaded IS 'Rows loaded: inserted, updated and unchanged.';
COMMENT ON COLUMN pgsluice.tables.rejected IS 'Rejects that no replay has loaded.';
COMMENT ON COLUMN pgsluice.tables.replayed IS 'Rejects that a replay has loaded.';
COMMENT ON COLUMN pgsluice.tables.inserted IS 'New rows.';
COMMENT ON COLUMN pgsluice.tables.updated IS 'Rows that the table held, and that the files changed.';
COMMENT ON COLUMN pgsluice.tables.unchanged IS 'Rows of the files that the table already held.';
COMMENT ON COLUMN pgsluice.tables.deleted IS 'Rows that the mode removed from the table.';

CREATE OR REPLACE VIEW pgsluice.rejects WITH (security_invoker = true) AS
SELECT j.run_id, j.reject_no, j.table_name, j.file, j.line, j.ordinal AS record_no, j.kind, j.column_name,
       j.constraint_name, j.sqlstate, j.message, j.detail, j.parent_file, j.parent_line, j.cause_no AS cause, j.raw,
       j.replayed_by, j.byte_offset
  FROM pgsluice.reject AS j;
COMMENT ON VIEW pgsluice.rejects IS 'The rejects of each run. The columns of this view stay.';
COMMENT ON COLUMN pgsluice.rejects.run_id IS 'The number of the run.';
COMMENT ON COLUMN pgsluice.rejects.reject_no IS 'Number of the reject, from 1, in load order. In a replay: its number in the run that is replayed.';
COMMENT ON COLUMN pgsluice.rejects.table_name IS 'The table; with its schema unless that is public.';
COMMENT ON COLUMN pgsluice.rejects.file IS 'The path or the address of the file.';
COMMENT ON COLUMN pgsluice.rejects.line IS 'Line of the file on which the record begins, from 1.';
COMMENT ON COLUMN pgsluice.rejects.record_no IS 'Number of the record in the file, from 1, without the header.';
COMMENT ON COLUMN pgsluice.rejects.kind IS 'structure, value, not_null, check, unique, foreign_key, parent, exclusion, trigger, policy, other.';
COMMENT ON COLUMN pgsluice.rejects.column_name IS 'The column; empty if the reason names none.';
COMMENT ON COLUMN pgsluice.rejects.constraint_name IS 'The constraint; empty if the reason names none.';
COMMENT ON COLUMN pgsluice.rejects.sqlstate IS 'The error code of PostgreSQL.';
COMMENT ON COLUMN pgsluice.rejects.message IS 'The reason.';
COMMENT ON COLUMN pgsluice.rejects.detail IS 'What PostgreSQL says in addition: its DETAIL and HINT.';
COMMENT ON COLUMN pgsluice.rejects.parent_file IS 'File of the rejected parent row, or of the earlier row that has the same key.';
COMMENT ON COLUMN pgsluice.rejects.parent_line IS 'Line of parent_file on which that row begins.';
COMMENT ON COLUMN pgsluice.rejects.cause IS 'Of kind parent: reject_no of the reject to correct.';
COMMENT ON COLUMN pgsluice.rejects.raw IS 'The text of the record in the file.';
COMMENT ON COLUMN pgsluice.rejects.replayed_by IS 'The run that loaded the corrected record; NULL while the reject is open.';
COMMENT ON COLUMN pgsluice.rejects.byte_offset IS 'Byte of the file at which the record begins, from 0. NULL if the file is packed or not UTF-8, and in a replay.';

CREATE OR REPLACE VIEW pgsluice.phases WITH (security_invoker = true) AS
SELECT r.run_id, p.value ->> 'table' AS table_name, p.value ->> 'phase' AS phase,
       (p.value ->> 'seconds')::double precision AS seconds
  FROM pgsluice.run_summary AS r
 CROSS JOIN LATERAL pg_catalog.json_array_elements(r.summary -> 'phases') AS p;
COMMENT ON VIEW pgsluice.phases IS 'Where the time of each run went. The columns of this view stay.';
COMMENT ON COLUMN pgsluice.phases.run_id IS 'The number of the run.';
COMMENT ON COLUMN pgsluice.phases.table_name IS 'The table; empty for the run as a whole.';
COMMENT ON COLUMN pgsluice.phases.phase IS 'The phase: plan, read, copy, index and others.';
COMMENT ON COLUMN pgsluice.phases.seconds IS 'Seconds of the phase.';

-- name: start_run
-- Insert a run.
INSERT INTO pgsluice.run (status, options, pid, client, replay_of)
VALUES ('running', %(options)s::pg_catalog.jsonb OPERATOR(pg_catalog.||)
        pg_catalog.jsonb_build_object('role', current_user::pg_catalog.text, 'pgsluice', %(version)s::pg_catalog.text),
        pg_catalog.pg_backend_pid(), %(client)s, %(replay_of)s)
RETURNING run_id;

-- name: hold_run
-- Show that a run is alive. The lock is shared, because each connection of the run holds the lock.
SELECT pg_catalog.pg_advisory_lock_shared(%(lock_class)s, %(key)s);

-- name: finish_run
-- Write how a run ended. The transaction that loads has written the status published; no other status replaces it.
UPDATE pgsluice.run
   SET status = %(status)s,
       ended = pg_catalog.clock_timestamp(),
       seconds = %(seconds)s,
       detail = %(detail)s,
       rejects_path = %(rejects_path)s
 WHERE run_id = %(run_id)s
   AND status <> 'published';

-- name: record_file
-- Insert a file of a run.
INSERT INTO pgsluice.file (run_id, file_no, table_oid, table_schema, table_name, path, sha256, bytes, status,
                           rows_read, rows_loaded, rows_rejected, columns, dialect, mode)
VALUES (%(run_id)s, %(file_no)s, %(table_oid)s, %(table_schema)s, %(table_name)s, %(path)s, %(sha256)s, %(bytes)s,
        %(status)s, %(rows_read)s, %(rows_loaded)s, %(rows_rejected)s, %(columns)s, %(dialect)s, %(mode)s);

-- name: speeds
-- The bytes of files and the seconds of the newest published runs that loaded one of these tables.
SELECT pg_catalog.sum(f.bytes)::bigint, r.seconds
  FROM pgsluice.run AS r
  JOIN pgsluice.file AS f USING (run_id)
 WHERE r.status = 'published' AND f.status = 'loaded' AND r.seconds > 0
 GROUP BY r.run_id, r.seconds
HAVING pg_catalog.bool_or(f.table_oid = ANY (%(oids)s::oid[])) AND pg_catalog.sum(f.bytes) >= 1000000
 ORDER BY r.run_id DESC
 LIMIT %(limit)s;

-- name: loaded_before
-- Which contents published runs have loaded into their tables: pairs of a table and a hash.
SELECT DISTINCT f.table_oid::bigint, f.sha256
  FROM pgsluice.file f
  JOIN pgsluice.run r USING (run_id)
  JOIN ROWS FROM (pg_catalog.unnest(%(oids)s::oid[]), pg_catalog.unnest(%(hashes)s::text[])) AS w (table_oid, sha256)
    ON w.table_oid = f.table_oid AND w.sha256 = f.sha256
 WHERE f.status = 'loaded'
   AND r.status = 'published';

-- name: sizes_loaded
-- Sizes of the files that published runs loaded into these tables.
SELECT DISTINCT f.table_oid::bigint, f.bytes
  FROM pgsluice.file f
  JOIN pgsluice.run r USING (run_id)
 WHERE f.table_oid = ANY (%(oids)s::oid[])
   AND f.status = 'loaded'
   AND r.status = 'published';

-- name: mark_interrupted
-- Runs whose lock no session holds were interrupted.
UPDATE pgsluice.run
   SET status = 'interrupted',
       ended = pg_catalog.clock_timestamp(),
       detail = 'the process ended without a word; nothing was published'
 WHERE status = 'running'
   AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_locks l
        WHERE l.locktype = 'advisory'
          AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
          AND l.classid = %(lock_class)s::oid
          AND l.objid = (run.run_id & 2147483647)::oid
          AND l.objsubid = 2
          AND l.granted)
RETURNING run_id;

-- name: try_lock_table
-- Lock a table for this session, if no other session has locked the table.
SELECT pg_catalog.pg_try_advisory_lock(%(lock_class)s, %(key)s);

-- name: unlock_table
-- Release the lock on a table.
SELECT pg_catalog.pg_advisory_unlock(%(lock_class)s, %(key)s);

-- name: holder
-- The session that has locked a table, and its run.
SELECT l.pid,
       coalesce(a.application_name, '') AS application,
       coalesce(a.usename::text, '') AS role,
       pg_catalog.to_char(coalesce(a.xact_start, a.backend_start), 'YYYY-MM-DD HH24:MI:SS') AS since,
       (SELECT r.objid::bigint
          FROM pg_catalog.pg_locks r
         WHERE r.locktype = 'advisory' AND r.database = l.database AND r.classid = %(run_class)s::oid
           AND r.objsubid = 2 AND r.pid = l.pid AND r.granted
         ORDER BY r.objid DESC
         LIMIT 1) AS run_id,
       coalesce((SELECT pg_catalog.regexp_replace(c.oid::regclass::text, '^public[.]', '') FROM pg_catalog.pg_class c
           WHERE c.oid = %(oid)s::oid), %(oid)s::text) AS table_name
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory'
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND l.classid = %(lock_class)s::oid
   AND l.objid = %(oid)s::oid
   AND l.objsubid = 2
   AND l.granted
   AND l.pid <> pg_catalog.pg_backend_pid();

-- name: copy_rejects
-- Copy rejects in text format.
COPY pgsluice.reject (run_id, reject_no, table_name, file, line, ordinal, kind, column_name, constraint_name, sqlstate,
                      message, detail, raw, parent_file, parent_line, cause_no, byte_offset) FROM STDIN;

-- name: copy_report
-- Copy the rows of a report in binary format.
COPY pgsluice.reject (run_id, reject_no, table_name, file, line, ordinal, kind, column_name, constraint_name, sqlstate,
                      message, detail, parent_file, parent_line, cause_no, byte_offset, raw)
FROM STDIN (FORMAT binary);

-- name: next_reject
-- The number of the next reject of a run.
SELECT coalesce(pg_catalog.max(reject_no), 0) + 1 FROM pgsluice.reject WHERE run_id = %(run_id)s;

-- name: report_of
-- The path of a run's report, and the run for which the rejects can be replayed.
SELECT rejects_path, CASE WHEN status = 'published' THEN coalesce(replay_of, run_id) END
  FROM pgsluice.run WHERE run_id = %(run_id)s;

-- name: reject_groups
-- Open rejects, counted by verdict, with the first example of each group, in the order of the first rejects.
SELECT g.table_name, g.kind, g.column_name, g.constraint_name, g.sqlstate, g.count,
       r.file || ':' || r.line || ': ' || r.message || coalesce(': ' || nullif(r.words, ''), '') AS example,
       r.file, r.line, r.message, r.raw, coalesce(u.replay_of, r.run_id), r.reject_no, r.ordinal,
       coalesce(r.parent_file, ''), r.parent_line, r.words, r.cause, r.place
  FROM (SELECT table_name, kind, column_name, constraint_name, sqlstate, pg_catalog.count(*) AS count,
      pg_catalog.min(reject_no) AS first
          FROM pgsluice.reject
         WHERE run_id = %(run_id)s AND replayed_by IS NULL
           AND (%(table)s::text IS NULL OR %(table)s IN (table_name, 'public.' || table_name))
         GROUP BY table_name, kind, column_name, constraint_name, sqlstate) AS g
  JOIN (SELECT j.* FROM (SELECT ''::text AS detail, NULL::bigint AS cause_no, NULL::bigint AS byte_offset) AS older
         CROSS JOIN LATERAL (SELECT i.*, detail AS words, cause_no AS cause, byte_offset AS place
                               FROM pgsluice.reject i) AS j) AS r
    ON r.run_id = %(run_id)s AND r.reject_no = g.first
  LEFT JOIN pgsluice.run u ON u.run_id = %(run_id)s
 ORDER BY g.first;

-- name: files_read
-- How the files of a run were read: the columns of their fields, and their dialects.
SELECT CASE WHEN table_schema = 'public' THEN table_name ELSE table_schema || '.' || table_name END, path, columns,
       dialect
  FROM pgsluice.file WHERE run_id = %(run_id)s;

-- name: consequences
-- The verdicts of open rejects, with the number of open rejects of each table that follow from them.
SELECT q.table_name, q.kind, q.column_name, q.constraint_name, q.sqlstate, j.table_name, pg_catalog.count(*),
       pg_catalog.bool_or((j.parent_file, j.parent_line) IS DISTINCT FROM (q.file, q.line))
  FROM (SELECT ''::text AS detail, NULL::bigint AS cause_no) AS older
 CROSS JOIN LATERAL (SELECT i.*, cause_no AS cause FROM pgsluice.reject i) AS j
  JOIN pgsluice.reject q ON q.run_id = j.run_id AND q.reject_no = j.cause
 WHERE j.run_id = %(run_id)s AND q.run_id = %(run_id)s AND j.replayed_by IS NULL AND q.replayed_by IS NULL
   AND (%(table)s::text IS NULL OR %(table)s IN (q.table_name, 'public.' || q.table_name))
 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY pg_catalog.min(j.reject_no);

-- name: reject_rows
-- Open rejects of a run in the order of their numbers, which is the load order: table by table, file by file, line by
-- line.
-- Before version 4 the table has no columns detail and cause_no, before version 8 no column byte_offset: the names then
-- mean those of the outer query.
SELECT j.run_id, j.table_name, j.file, j.line, j.kind, j.column_name, j.constraint_name, j.sqlstate, j.message, j.raw,
       coalesce(r.replay_of, j.run_id), j.reject_no, j.ordinal, coalesce(j.parent_file, ''), j.parent_line, j.words,
       j.cause, j.place
  FROM (SELECT ''::text AS detail, NULL::bigint AS cause_no, NULL::bigint AS byte_offset) AS older
 CROSS JOIN LATERAL (SELECT i.*, detail AS words, cause_no AS cause, byte_offset AS place FROM pgsluice.reject i) AS j
  LEFT JOIN pgsluice.run r ON r.run_id = %(run_id)s
 WHERE j.run_id = %(run_id)s AND j.replayed_by IS NULL
   AND (%(table)s::text IS NULL OR %(table)s IN (j.table_name, 'public.' || j.table_name))
 ORDER BY j.reject_no;

-- name: replayed_rows
-- Count the rejects of a run that replays have loaded.
SELECT pg_catalog.count(*)
  FROM pgsluice.reject
 WHERE run_id = %(run_id)s AND replayed_by IS NOT NULL
   AND (%(table)s::text IS NULL OR %(table)s IN (table_name, 'public.' || table_name));

-- name: had_file
-- Whether a run had a file for a table.
SELECT EXISTS (
    SELECT FROM pgsluice.file
     WHERE run_id = %(run_id)s AND %(table)s IN (table_name, table_schema || '.' || table_name)
);

-- name: run_to_replay
-- The facts about a run that its replay needs.
SELECT status, options, replay_of FROM pgsluice.run WHERE run_id = %(run_id)s;

-- name: files_to_replay
-- The files of a run that had rejects.
SELECT path, table_oid::bigint, table_schema, table_name, columns, dialect
  FROM pgsluice.file
 WHERE run_id = %(run_id)s AND status <> 'skipped' AND rows_rejected + rows_replayed > 0;

-- name: rejects_to_replay
-- All rejects of a run by their numbers.
SELECT reject_no, table_name, file, line, ordinal, kind, column_name, constraint_name, sqlstate, message, words, raw,
       parent_file, parent_line, replayed_by
  FROM (SELECT ''::text AS detail, NULL::bigint AS cause_no) AS older
 CROSS JOIN LATERAL (SELECT i.*, detail AS words, cause_no AS cause FROM pgsluice.reject i) AS j
 WHERE run_id = %(run_id)s
 ORDER BY reject_no;

-- name: may_replay
-- Whether this role may write which rejects were replayed.
SELECT pg_catalog.has_table_privilege('pgsluice.reject', 'UPDATE') AND pg_catalog.has_table_privilege('pgsluice.file',
    'UPDATE');

-- name: copy_replayed
-- The numbers of the rejects that a replay loads.
COPY pg_temp.pgsluice_replayed (reject_no) FROM STDIN;

-- name: mark_replayed
-- The rejects of a run that a replay loads are no longer open.
UPDATE pgsluice.reject j
   SET replayed_by = %(replay)s
  FROM pg_temp.pgsluice_replayed p
 WHERE j.run_id = %(run_id)s AND j.reject_no = p.reject_no AND j.replayed_by IS NULL;

-- name: mark_earlier_replays
-- Rejects of earlier replays of the run with the same numbers are no longer open either.
UPDATE pgsluice.reject j
   SET replayed_by = %(replay)s
  FROM pg_temp.pgsluice_replayed p, pgsluice.run r
 WHERE r.replay_of = %(run_id)s AND j.run_id = r.run_id AND j.reject_no = p.reject_no AND r.run_id <> %(replay)s
   AND j.replayed_by IS NULL;

-- name: count_replayed
-- In the run that is replayed, rejected rows become replayed rows: read = loaded + rejected + replayed.
UPDATE pgsluice.file f
   SET rows_rejected = f.rows_rejected - n.count, rows_replayed = f.rows_replayed + n.count
  FROM (SELECT j.file, pg_catalog.count(*) AS count
          FROM pgsluice.reject j
          JOIN pg_temp.pgsluice_replayed p USING (reject_no)
         WHERE j.run_id = %(run_id)s
         GROUP BY j.file) AS n
 WHERE f.run_id = %(run_id)s AND f.path = n.file AND f.status = 'loaded';

-- name: files_out_of_balance
-- Files of a run with more replayed rows than rejects.
SELECT pg_catalog.count(*) FROM pgsluice.file WHERE run_id = %(run_id)s AND rows_rejected < 0;

-- name: last_run_with_rejects
-- The newest run that has open rejects.
SELECT pg_catalog.max(run_id) FROM pgsluice.reject WHERE replayed_by IS NULL;

-- name: runs
-- The newest runs with the sums of their files; of a file or a table those that had it.
SELECT r.run_id,
       r.status,
       pg_catalog.to_char(r.started, 'YYYY-MM-DD"T"HH24:MI:SSOF') AS started,
       r.seconds,
       pg_catalog.count(DISTINCT f.table_oid) AS tables,
       coalesce(pg_catalog.sum(f.rows_read), 0)::bigint AS read,
       coalesce(pg_catalog.sum(f.rows_loaded), 0)::bigint AS loaded,
       coalesce(pg_catalog.sum(f.rows_rejected), 0)::bigint AS rejected,
       r.detail,
       coalesce(pg_catalog.sum(f.rows_replayed), 0)::bigint AS replayed,
       r.replay_of
  FROM (SELECT u.* FROM pgsluice.run u
         WHERE %(file)s::text IS NULL AND %(table)s::text IS NULL
            OR EXISTS (SELECT FROM pgsluice.file h
                        WHERE h.run_id = u.run_id
                          AND (%(file)s::text IS NULL OR h.path = %(file)s
                               OR pg_catalog.right(h.path, pg_catalog.length(%(file)s) + 1) = '/' || %(file)s)
                          AND (%(table)s::text IS NULL OR %(table)s IN (h.table_name,
                               h.table_schema || '.' || h.table_name)))
         ORDER BY u.run_id DESC LIMIT %(limit)s) AS r
  LEFT JOIN pgsluice.file f USING (run_id)
 GROUP BY r.run_id, r.status, r.started, r.seconds, r.detail, r.replay_of
 ORDER BY r.run_id DESC;

-- name: loaded_rows
-- How many rows published runs loaded into each table, how many of them replays loaded, and whether some run was in
-- a mode that does more than append.
SELECT f.table_oid::bigint, pg_catalog.sum(f.rows_loaded)::bigint,
       coalesce(pg_catalog.sum(f.rows_loaded) FILTER (WHERE r.replay_of IS NOT NULL), 0)::bigint,
       pg_catalog.bool_or(f.mode <> 'append')
  FROM pgsluice.file f
  JOIN pgsluice.run r USING (run_id)
 WHERE f.status = 'loaded'
   AND r.status = 'published'
 GROUP BY f.table_oid;

-- name: purged_rejects
-- How many rejects of a run were deleted: the files count rejects, and the ledger has none.
SELECT coalesce(pg_catalog.sum(f.rows_rejected + f.rows_replayed), 0)::bigint
  FROM pgsluice.file f
 WHERE f.run_id = %(run_id)s
   AND NOT EXISTS (SELECT FROM pgsluice.reject j WHERE j.run_id = %(run_id)s);

-- name: made_by
-- The definition that made each derived table last.
SELECT DISTINCT ON (table_schema, table_name) table_schema, table_name, sha256
  FROM pgsluice.derived ORDER BY table_schema, table_name, made DESC;

-- name: made_last
-- How each derived table was made last.
SELECT DISTINCT ON (table_schema, table_name) table_schema, table_name, sha256, rows, stamp
  FROM pgsluice.derived ORDER BY table_schema, table_name, made DESC;

-- name: earlier_profiles
-- The profiles of a column in the newest published runs.
SELECT rows, nulls, exact, distinct_values, mean
  FROM pgsluice.column_profile
 WHERE table_schema = %(table_schema)s AND table_name = %(table_name)s AND column_name = %(column)s
 ORDER BY run_id DESC LIMIT %(runs)s;
