-- name: state
-- Whether the ledger is there, and what this role may do with it.
SELECT n.oid IS NOT NULL AS has_schema,
       count(c.oid) = 3 AS complete,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false)
           AND coalesce(bool_and(has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                                 AND (c.relname <> 'run' OR has_table_privilege(c.oid, 'UPDATE'))), false) AS usable,
       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE') END AS may_create,
       quote_ident(current_database()) AS database,
       quote_ident(current_user) AS role
  FROM (VALUES (1)) AS one
  LEFT JOIN pg_namespace n ON n.nspname = 'pgsluice'
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname IN ('run', 'file', 'reject')
 GROUP BY n.oid;

-- name: lock_creation
-- One process at a time makes the ledger.
SELECT pg_advisory_xact_lock(%(class)s, 0);

-- name: create_schema
-- The ledger's schema.
CREATE SCHEMA IF NOT EXISTS pgsluice;

-- name: create
-- The ledger's tables.
COMMENT ON SCHEMA pgsluice IS 'Books of pgsluice: every load, its files, its rejected rows.';

CREATE TABLE IF NOT EXISTS pgsluice.run (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
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
COMMENT ON TABLE pgsluice.run IS 'One row per call of pgsluice load or replay.';
COMMENT ON COLUMN pgsluice.run.status IS 'running, published (the rows are in the tables), vetoed (too many rejects), dry_run, skipped (all files were loaded before), failed, interrupted (the process ended without a word).';
COMMENT ON COLUMN pgsluice.run.seconds IS 'Wall time of the whole run.';
COMMENT ON COLUMN pgsluice.run.options IS 'Options of the call.';
COMMENT ON COLUMN pgsluice.run.detail IS 'Why a run did not publish.';
COMMENT ON COLUMN pgsluice.run.rejects_path IS 'CSV file of the rejected rows on the machine of the client.';
COMMENT ON COLUMN pgsluice.run.pid IS 'Server process of the connection that keeps the books.';
COMMENT ON COLUMN pgsluice.run.client IS 'host:pid of the process that loads.';
COMMENT ON COLUMN pgsluice.run.replay_of IS 'Of a replay: the run whose corrected rejects it loads.';

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
COMMENT ON TABLE pgsluice.file IS 'The files of each run; rows_read = rows_loaded + rows_rejected + rows_replayed unless skipped or vetoed.';
COMMENT ON COLUMN pgsluice.file.table_oid IS 'Which table, so that a table made anew counts as another one.';
COMMENT ON COLUMN pgsluice.file.sha256 IS 'Of the bytes of the file as it stands on disk; of a replay, of the corrected file.';
COMMENT ON COLUMN pgsluice.file.status IS 'loaded, skipped (this content is in the table already), vetoed (nothing of the run was published).';
COMMENT ON COLUMN pgsluice.file.rows_rejected IS 'Rows that are still rejected; those that a replay loaded since are in rows_replayed.';
COMMENT ON COLUMN pgsluice.file.rows_replayed IS 'Rows that this run rejected and a replay of it loaded. They count as loaded in the replay, not here.';
COMMENT ON COLUMN pgsluice.file.mode IS 'append, upsert, insert-missing, replace: only appended rows add up.';
COMMENT ON COLUMN pgsluice.file.columns IS 'The columns that the fields of a record go into, in order; empty where a field is left out.';
COMMENT ON COLUMN pgsluice.file.dialect IS 'How the file writes its records: delimiter, quote, encoding, header, null.';

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
    replayed_by bigint
);
CREATE INDEX IF NOT EXISTS reject_run ON pgsluice.reject USING brin (run_id);
COMMENT ON TABLE pgsluice.reject IS 'Every row that was refused, and why. No primary key, no foreign key to run: a million rows at once should not pay for it. The rows of a run stand together.';
COMMENT ON COLUMN pgsluice.reject.line IS 'Physical line of the file on which the record begins, from 1.';
COMMENT ON COLUMN pgsluice.reject.ordinal IS 'Which record of the file, from 1, without the header.';
COMMENT ON COLUMN pgsluice.reject.kind IS 'structure, value, not_null, check, unique, foreign_key, parent, exclusion, trigger, policy, other.';
COMMENT ON COLUMN pgsluice.reject.raw IS 'The record as it stands in the file.';
COMMENT ON COLUMN pgsluice.reject.parent_file IS 'Of a row refused because its parent was: where the parent stands. Of one whose key an earlier row of the files has: where that stands.';
COMMENT ON COLUMN pgsluice.reject.reject_no IS 'From 1, in load order; of a replay, the number that the record has in the run that is replayed.';
COMMENT ON COLUMN pgsluice.reject.replayed_by IS 'The run that loaded the corrected record; NULL: it is open.';

-- name: start_run
-- A new run.
INSERT INTO pgsluice.run (status, options, pid, client, replay_of)
VALUES ('running', %(options)s, pg_backend_pid(), %(client)s, %(replay_of)s)
RETURNING run_id;

-- name: hold_run
-- The sign that the process of a run lives. Shared, because each of its connections holds it.
SELECT pg_advisory_lock_shared(%(class)s, %(key)s);

-- name: release_run
-- One connection of a run lets go.
SELECT pg_advisory_unlock_shared(%(class)s, %(key)s);

-- name: finish_run
-- How a run ended. That it published, its own transaction has said, and nobody may take back.
UPDATE pgsluice.run
   SET status = %(status)s,
       ended = clock_timestamp(),
       seconds = %(seconds)s,
       detail = %(detail)s,
       rejects_path = %(rejects_path)s
 WHERE run_id = %(run_id)s
   AND status <> 'published';

-- name: record_file
-- One file of a run.
INSERT INTO pgsluice.file (run_id, file_no, table_oid, table_schema, table_name, path, sha256, bytes, status,
                           rows_read, rows_loaded, rows_rejected, columns, dialect, mode)
VALUES (%(run_id)s, %(file_no)s, %(table_oid)s, %(table_schema)s, %(table_name)s, %(path)s, %(sha256)s, %(bytes)s,
        %(status)s, %(rows_read)s, %(rows_loaded)s, %(rows_rejected)s, %(columns)s, %(dialect)s, %(mode)s);

-- name: loaded_before
-- The published run that put this content into this table.
SELECT max(f.run_id)
  FROM pgsluice.file f
  JOIN pgsluice.run r USING (run_id)
 WHERE f.table_oid = %(table_oid)s
   AND f.sha256 = %(sha256)s
   AND f.status = 'loaded'
   AND r.status = 'published';

-- name: sizes_loaded
-- Sizes of the files that went into these tables.
SELECT DISTINCT f.table_oid::bigint, f.bytes
  FROM pgsluice.file f
  JOIN pgsluice.run r USING (run_id)
 WHERE f.table_oid = ANY (%(oids)s::oid[])
   AND f.status = 'loaded'
   AND r.status = 'published';

-- name: mark_interrupted
-- Runs whose process no longer holds its lock ended without a word.
UPDATE pgsluice.run
   SET status = 'interrupted',
       ended = clock_timestamp(),
       detail = 'the process ended without a word; nothing was published'
 WHERE status = 'running'
   AND NOT EXISTS (
       SELECT FROM pg_locks l
        WHERE l.locktype = 'advisory'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.classid = %(class)s::oid
          AND l.objid = (run.run_id & 2147483647)::oid
          AND l.objsubid = 2
          AND l.granted)
RETURNING run_id;

-- name: try_lock_table
-- Take a table for this session, if nobody else has it.
SELECT pg_try_advisory_lock(%(class)s, %(key)s);

-- name: unlock_table
-- Let a table go.
SELECT pg_advisory_unlock(%(class)s, %(key)s);

-- name: holder
-- Who has a table, and which run that is.
SELECT l.pid,
       coalesce(a.application_name, '') AS application,
       coalesce(a.usename::text, '') AS role,
       to_char(coalesce(a.xact_start, a.backend_start), 'YYYY-MM-DD HH24:MI:SS') AS since,
       (SELECT r.objid::bigint
          FROM pg_locks r
         WHERE r.locktype = 'advisory' AND r.database = l.database AND r.classid = %(run_class)s::oid
           AND r.objsubid = 2 AND r.pid = l.pid AND r.granted
         ORDER BY r.objid DESC
         LIMIT 1) AS run_id,
       coalesce((SELECT c.oid::regclass::text FROM pg_class c WHERE c.oid = %(oid)s::oid), %(oid)s::text) AS table_name
  FROM pg_locks l
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = %(class)s::oid
   AND l.objid = %(oid)s::oid
   AND l.objsubid = 2
   AND l.granted
   AND l.pid <> pg_backend_pid();

-- name: copy_rejects
-- Rejected rows in bulk.
COPY pgsluice.reject (run_id, reject_no, table_name, file, line, ordinal, kind, column_name, constraint_name, sqlstate,
                      message, raw, parent_file, parent_line) FROM STDIN;

-- name: copy_report
-- Rows of a report of rejects.
COPY pgsluice.reject (run_id, reject_no, table_name, file, line, ordinal, kind, column_name, constraint_name, sqlstate,
                      message, parent_file, parent_line, raw)
FROM STDIN (FORMAT binary);

-- name: next_reject
-- The number of the next rejected row of a run.
SELECT coalesce(max(reject_no), 0) + 1 FROM pgsluice.reject WHERE run_id = %(run_id)s;

-- name: report_of
-- Where the CSV file of a run's rejects is, and the run that they can be replayed for.
SELECT rejects_path, CASE WHEN status = 'published' THEN coalesce(replay_of, run_id) END
  FROM pgsluice.run WHERE run_id = %(run_id)s;

-- name: reject_groups
-- Rejected rows that are open counted by why, each with its first example: most frequent first, but causes before
-- consequences.
SELECT g.table_name, g.kind, g.column_name, g.constraint_name, g.sqlstate, g.count,
       r.file || ':' || r.line || ': ' || r.message AS example
  FROM (SELECT table_name, kind, column_name, constraint_name, sqlstate, count(*) AS count, min(reject_no) AS first
          FROM pgsluice.reject
         WHERE run_id = %(run_id)s AND replayed_by IS NULL
           AND (%(table)s::text IS NULL OR %(table)s IN (table_name, 'public.' || table_name))
         GROUP BY table_name, kind, column_name, constraint_name, sqlstate) AS g
  JOIN pgsluice.reject r ON r.run_id = %(run_id)s AND r.reject_no = g.first
 ORDER BY g.kind = 'parent', g.count DESC, g.first;

-- name: reject_rows
-- Rejected rows of a run that are open, in load order: table by table, file by file, line by line; so they are
-- numbered.
SELECT j.run_id, j.table_name, j.file, j.line, j.kind, j.column_name, j.constraint_name, j.sqlstate, j.message, j.raw,
       coalesce(r.replay_of, j.run_id), j.reject_no, j.ordinal, coalesce(j.parent_file, ''), j.parent_line
  FROM pgsluice.reject j
  LEFT JOIN pgsluice.run r ON r.run_id = %(run_id)s
 WHERE j.run_id = %(run_id)s AND j.replayed_by IS NULL
   AND (%(table)s::text IS NULL OR %(table)s IN (j.table_name, 'public.' || j.table_name))
 ORDER BY j.reject_no;

-- name: replayed_rows
-- How many rejected rows of a run were replayed since.
SELECT count(*)
  FROM pgsluice.reject
 WHERE run_id = %(run_id)s AND replayed_by IS NOT NULL
   AND (%(table)s::text IS NULL OR %(table)s IN (table_name, 'public.' || table_name));

-- name: fed
-- Whether a run had a file for a table.
SELECT EXISTS (
    SELECT FROM pgsluice.file
     WHERE run_id = %(run_id)s AND %(table)s IN (table_name, table_schema || '.' || table_name)
);

-- name: run_to_replay
-- What a replay has to know of a run.
SELECT status, options, replay_of FROM pgsluice.run WHERE run_id = %(run_id)s;

-- name: files_to_replay
-- The files of a run of which rows were rejected.
SELECT path, table_oid::bigint, table_schema, table_name, columns, dialect
  FROM pgsluice.file
 WHERE run_id = %(run_id)s AND status = 'loaded' AND rows_rejected + rows_replayed > 0;

-- name: rejects_to_replay
-- Rejected rows of a run by their numbers.
SELECT reject_no, file, line, ordinal, kind, column_name, constraint_name, sqlstate, message, raw, replayed_by
  FROM pgsluice.reject
 WHERE run_id = %(run_id)s
 ORDER BY reject_no;

-- name: may_replay
-- Whether this role may write down that rows were replayed.
SELECT has_table_privilege('pgsluice.reject', 'UPDATE') AND has_table_privilege('pgsluice.file', 'UPDATE');

-- name: copy_replayed
-- The numbers of the rejected rows that a replay loads.
COPY pg_temp.pgsluice_replayed (reject_no) FROM STDIN;

-- name: mark_replayed
-- Rejected rows of a run that a replay loads are open no longer.
UPDATE pgsluice.reject j
   SET replayed_by = %(replay)s
  FROM pg_temp.pgsluice_replayed p
 WHERE j.run_id = %(run_id)s AND j.reject_no = p.reject_no AND j.replayed_by IS NULL;

-- name: mark_earlier_replays
-- Nor are they where earlier replays of the run had refused them.
UPDATE pgsluice.reject j
   SET replayed_by = %(replay)s
  FROM pg_temp.pgsluice_replayed p, pgsluice.run r
 WHERE r.replay_of = %(run_id)s AND j.run_id = r.run_id AND j.reject_no = p.reject_no AND r.run_id <> %(replay)s
   AND j.replayed_by IS NULL;

-- name: book_replayed
-- The books of the run that is replayed: read = loaded + rejected + replayed.
UPDATE pgsluice.file f
   SET rows_rejected = f.rows_rejected - n.count, rows_replayed = f.rows_replayed + n.count
  FROM (SELECT j.file, count(*) AS count
          FROM pgsluice.reject j
          JOIN pg_temp.pgsluice_replayed p USING (reject_no)
         WHERE j.run_id = %(run_id)s
         GROUP BY j.file) AS n
 WHERE f.run_id = %(run_id)s AND f.path = n.file AND f.status = 'loaded';

-- name: last_run_with_rejects
-- The newest run that has rejected rows which are open.
SELECT max(run_id) FROM pgsluice.reject WHERE replayed_by IS NULL;

-- name: runs
-- The newest runs with the sums of their files.
SELECT r.run_id,
       r.status,
       to_char(r.started, 'YYYY-MM-DD"T"HH24:MI:SSOF') AS started,
       r.seconds,
       count(DISTINCT f.table_oid) AS tables,
       coalesce(sum(f.rows_read), 0)::bigint AS read,
       coalesce(sum(f.rows_loaded), 0)::bigint AS loaded,
       coalesce(sum(f.rows_rejected), 0)::bigint AS rejected,
       r.detail,
       coalesce(sum(f.rows_replayed), 0)::bigint AS replayed,
       r.replay_of
  FROM (SELECT * FROM pgsluice.run ORDER BY run_id DESC LIMIT %(limit)s) AS r
  LEFT JOIN pgsluice.file f USING (run_id)
 GROUP BY r.run_id, r.status, r.started, r.seconds, r.detail, r.replay_of
 ORDER BY r.run_id DESC;

-- name: exists
-- Whether the ledger is there.
SELECT count(*) = 2
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'pgsluice' AND c.relname IN ('run', 'file');

-- name: loaded_rows
-- How many rows published runs put into each table, how many of them were replayed, and whether some run
-- did more to the table than to append.
SELECT f.table_oid::bigint, sum(f.rows_loaded)::bigint,
       coalesce(sum(f.rows_loaded) FILTER (WHERE r.replay_of IS NOT NULL), 0)::bigint,
       bool_or(f.mode <> 'append')
  FROM pgsluice.file f
  JOIN pgsluice.run r USING (run_id)
 WHERE f.status = 'loaded'
   AND r.status = 'published'
 GROUP BY f.table_oid;
