-- The ledger that pgsluice 0.2.0 (commit ca2e386) wrote on PostgreSQL 16, for the tests of the migration.
--
-- Written and edited as ledger-0.1.0.sql, with the same files and runs.

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

-- Name: pgsluice; Type: SCHEMA; Schema: -; Owner: -

CREATE SCHEMA pgsluice;

-- Name: SCHEMA pgsluice; Type: COMMENT; Schema: -; Owner: -

COMMENT ON SCHEMA pgsluice IS 'Ledger of pgsluice: every run, its files, its rejects.';

SET default_tablespace = '';

SET default_table_access_method = heap;

-- Name: fault_4; Type: TABLE; Schema: pgsluice; Owner: -

CREATE UNLOGGED TABLE pgsluice.fault_4 (
    table_no integer,
    ordinal bigint,
    kind text,
    column_name text,
    constraint_name text,
    sqlstate text,
    message text
);

-- Name: file; Type: TABLE; Schema: pgsluice; Owner: -

CREATE TABLE pgsluice.file (
    run_id bigint NOT NULL,
    file_no integer NOT NULL,
    table_oid oid NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    status text NOT NULL,
    rows_read bigint NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    rows_replayed bigint DEFAULT 0 NOT NULL,
    columns text[] DEFAULT '{}'::text[] NOT NULL,
    dialect jsonb DEFAULT '{}'::jsonb NOT NULL,
    mode text DEFAULT 'append'::text NOT NULL,
    CONSTRAINT file_balances CHECK (((status <> 'loaded'::text) OR (rows_read = ((rows_loaded + rows_rejected) + rows_replayed)))),
    CONSTRAINT file_status_check CHECK ((status = ANY (ARRAY['loaded'::text, 'skipped'::text, 'vetoed'::text])))
);

-- Name: TABLE file; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON TABLE pgsluice.file IS 'The files of each run. rows_read = rows_loaded + rows_rejected + rows_replayed if status is loaded.';

-- Name: COLUMN file.table_oid; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.table_oid IS 'Oid of the table. A table that was dropped and created again has another oid: its files count as not loaded.';

-- Name: COLUMN file.sha256; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.sha256 IS 'SHA-256 of the bytes of the file on disk. In a replay: of the corrected report.';

-- Name: COLUMN file.status; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.status IS 'loaded, skipped (an earlier run loaded this content into this table), vetoed (the run published nothing).';

-- Name: COLUMN file.rows_rejected; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.rows_rejected IS 'Open rejects. Rejects that a replay has loaded are counted in rows_replayed.';

-- Name: COLUMN file.rows_replayed; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.rows_replayed IS 'Rejects of this run that a replay has loaded. The replay counts them in its own rows_loaded.';

-- Name: COLUMN file.columns; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.columns IS 'Columns of the table in the order of the fields of a record; the empty text where a field is left out.';

-- Name: COLUMN file.dialect; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.dialect IS 'Dialect of the file: delimiter, quote, encoding, header, null.';

-- Name: COLUMN file.mode; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.file.mode IS 'append, upsert, insert-missing, replace. Only with append rows_loaded is the number of rows that the table gained.';

-- Name: ledger_version; Type: TABLE; Schema: pgsluice; Owner: -

CREATE TABLE pgsluice.ledger_version (
    version integer DEFAULT 2 NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    pgsluice text NOT NULL
);

-- Name: TABLE ledger_version; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON TABLE pgsluice.ledger_version IS 'Versions of these tables. The default of column version is the version that the tables have now; the rows are the history.';

-- Name: COLUMN ledger_version.version; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.ledger_version.version IS 'A version that the tables had or have. Version 1, of pgsluice 0.1.0, has no row.';

-- Name: COLUMN ledger_version.since; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.ledger_version.since IS 'When the tables were created with this version or migrated to it.';

-- Name: COLUMN ledger_version.pgsluice; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.ledger_version.pgsluice IS 'The release of pgsluice that created or migrated the tables.';

-- Name: reject; Type: TABLE; Schema: pgsluice; Owner: -

CREATE TABLE pgsluice.reject (
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

-- Name: TABLE reject; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON TABLE pgsluice.reject IS 'The rejects of each run. The table has no primary key and no foreign key, which would cost time for each of a million rows.';

-- Name: COLUMN reject.reject_no; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.reject_no IS 'Number of the reject, from 1, in load order. In a replay: the number of the record in the run that is replayed.';

-- Name: COLUMN reject.line; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.line IS 'Line of the file on which the record begins, from 1.';

-- Name: COLUMN reject.ordinal; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.ordinal IS 'Number of the record in the file, from 1, without the header.';

-- Name: COLUMN reject.kind; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.kind IS 'structure, value, not_null, check, unique, foreign_key, parent, exclusion, trigger, policy, other.';

-- Name: COLUMN reject.raw; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.raw IS 'The text of the record in the file.';

-- Name: COLUMN reject.parent_file; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.parent_file IS 'File of the rejected parent row, or of the earlier row that has the same key. NULL for other rejects.';

-- Name: COLUMN reject.parent_line; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.parent_line IS 'Line of parent_file on which that row begins.';

-- Name: COLUMN reject.replayed_by; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.reject.replayed_by IS 'The run that loaded the corrected record; NULL while the reject is open.';

-- Name: run; Type: TABLE; Schema: pgsluice; Owner: -

CREATE TABLE pgsluice.run (
    run_id bigint NOT NULL,
    started timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended timestamp with time zone,
    status text NOT NULL,
    seconds double precision,
    options jsonb NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    rejects_path text,
    pid integer NOT NULL,
    client text NOT NULL,
    replay_of bigint,
    CONSTRAINT run_status_check CHECK ((status = ANY (ARRAY['running'::text, 'published'::text, 'vetoed'::text, 'dry_run'::text, 'skipped'::text, 'failed'::text, 'interrupted'::text])))
);

-- Name: TABLE run; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON TABLE pgsluice.run IS 'One row for each call of pgsluice load or replay. pgsluice resume continues a row.';

-- Name: COLUMN run.status; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.status IS 'running, published (the rows are in the tables), vetoed (more rejects than allowed), dry_run, skipped (all files were loaded before), failed, interrupted (the process ended early).';

-- Name: COLUMN run.seconds; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.seconds IS 'Duration of the run, in seconds of wall time.';

-- Name: COLUMN run.options; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.options IS 'Options and paths of the call.';

-- Name: COLUMN run.detail; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.detail IS 'Why the run did not publish.';

-- Name: COLUMN run.rejects_path; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.rejects_path IS 'Path of the report, on the machine of the client.';

-- Name: COLUMN run.pid; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.pid IS 'Server process of the ledger connection.';

-- Name: COLUMN run.client; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.client IS 'Host name and process id of the client, as host:pid.';

-- Name: COLUMN run.replay_of; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON COLUMN pgsluice.run.replay_of IS 'In a replay: the run whose corrected rejects are loaded. Otherwise NULL.';

-- Name: run_run_id_seq; Type: SEQUENCE; Schema: pgsluice; Owner: -

ALTER TABLE pgsluice.run ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pgsluice.run_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: stage_4_4000000001; Type: TABLE; Schema: pgsluice; Owner: -

CREATE UNLOGGED TABLE pgsluice.stage_4_4000000001 (
    pgsluice_ordinal bigint,
    id integer,
    email text,
    age integer,
    note text
);

-- Name: staged; Type: TABLE; Schema: pgsluice; Owner: -

CREATE TABLE pgsluice.staged (
    run_id bigint NOT NULL,
    table_oid oid NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    first_ordinal bigint NOT NULL,
    rows_read bigint NOT NULL,
    rows_staged bigint NOT NULL,
    rows_in_doubt bigint NOT NULL,
    extents jsonb NOT NULL,
    table_no integer NOT NULL
);

-- Name: TABLE staged; Type: COMMENT; Schema: pgsluice; Owner: -

COMMENT ON TABLE pgsluice.staged IS 'Files that unfinished resumable runs have staged; empty if there is no such run';

-- Data for Name: fault_4; Type: TABLE DATA; Schema: pgsluice; Owner: -

-- Data for Name: file; Type: TABLE DATA; Schema: pgsluice; Owner: -

INSERT INTO pgsluice.file VALUES (1, 2, 4000000002, 'public', 'orders', '/data/orders.csv', '1705ec2e08dd7fe8b574d2c0c4ff867c819fb68a1355638619c1886e38da7677', 50, 'loaded', 3, 1, 2, 0, '{id,customer_id,amount}', '{"null": [], "quote": "\"", "header": true, "encoding": "utf-8", "delimiter": ","}', 'append');
INSERT INTO pgsluice.file VALUES (2, 1, 4000000002, 'public', 'orders', '/data/orders_2.csv', '11296699712183188b57b9151aea12f08868fdab665c160af162eb1966d50b2a', 41, 'vetoed', 2, 0, 1, 0, '{id,customer_id,amount}', '{"null": [], "quote": "\"", "header": true, "encoding": "utf-8", "delimiter": ","}', 'append');
INSERT INTO pgsluice.file VALUES (3, 1, 4000000001, 'public', 'customers', '/data/customers.csv', 'f4d6ab395f02b865c5443a3c577f65b688592ca6bde13802b906023553fcbdec', 20, 'loaded', 2, 1, 1, 0, '{id,email,age,note}', '{"null": [], "quote": "\"", "header": true, "encoding": "utf-8", "delimiter": ","}', 'append');
INSERT INTO pgsluice.file VALUES (1, 1, 4000000001, 'public', 'customers', '/data/customers.csv', 'efb09d89a517be6d887dd55d2a7a7220579e7de8c92a227379c6c4fe523f8e01', 116, 'loaded', 8, 2, 5, 1, '{id,email,age,note}', '{"null": [], "quote": "\"", "header": true, "encoding": "utf-8", "delimiter": ","}', 'append');

-- Data for Name: ledger_version; Type: TABLE DATA; Schema: pgsluice; Owner: -

INSERT INTO pgsluice.ledger_version VALUES (2, '2026-01-01 12:00:00+00', '0.2.0');

-- Data for Name: reject; Type: TABLE DATA; Schema: pgsluice; Owner: -

INSERT INTO pgsluice.reject VALUES (1, 2, 'customers', '/data/customers.csv', 5, 3, 'not_null', 'email', '', '23502', 'null value in column "email" of relation "customers" violates not-null constraint', '3,,30,', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (1, 3, 'customers', '/data/customers.csv', 6, 4, 'check', 'age', 'customers_age_check', '23514', 'new row for relation "customers" violates check constraint "customers_age_check"', '4,d@x,17,', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (1, 4, 'customers', '/data/customers.csv', 7, 5, 'unique', 'id', 'customers_pkey', '23505', 'duplicate key value violates unique constraint "customers_pkey" (/data/customers.csv line 2 has it)', '1,e@x,40,', '/data/customers.csv', 2, NULL);
INSERT INTO pgsluice.reject VALUES (1, 5, 'customers', '/data/customers.csv', 8, 6, 'structure', '', '', '22P04', 'unterminated CSV quoted field', '5,f@x,50,"open', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (1, 6, 'customers', '/data/customers.csv', 9, 7, 'structure', '', '', '22P04', 'missing data for column "note"', '6,g@x,60', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (1, 7, 'orders', '/data/orders.csv', 3, 2, 'parent', 'customer_id', 'orders_customer_id_fkey', '23503', 'insert or update on table "orders" violates foreign key constraint "orders_customer_id_fkey" (its parent, /data/customers.csv line 4, was rejected)', '11,2,2.5', '/data/customers.csv', 4, NULL);
INSERT INTO pgsluice.reject VALUES (1, 8, 'orders', '/data/orders.csv', 4, 3, 'foreign_key', 'customer_id', 'orders_customer_id_fkey', '23503', 'insert or update on table "orders" violates foreign key constraint "orders_customer_id_fkey"', '12,99,3.5', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (2, 1, 'orders', '/data/orders_2.csv', 3, 2, 'foreign_key', 'customer_id', 'orders_customer_id_fkey', '23503', 'insert or update on table "orders" violates foreign key constraint "orders_customer_id_fkey"', '21,98,2.5', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (3, 3, 'customers', '/data/customers.csv', 6, 4, 'check', 'age', 'customers_age_check', '23514', 'new row for relation "customers" violates check constraint "customers_age_check"', '4,d@x,16,', NULL, NULL, NULL);
INSERT INTO pgsluice.reject VALUES (1, 1, 'customers', '/data/customers.csv', 4, 2, 'value', 'age', '', '22P02', 'invalid input syntax for type integer: "many"', '2,b@x,many,', NULL, NULL, 3);

-- Data for Name: run; Type: TABLE DATA; Schema: pgsluice; Owner: -

INSERT INTO pgsluice.run OVERRIDING SYSTEM VALUE VALUES (1, '2026-01-01 13:00:00+00', '2026-01-01 13:00:02+00', 'published', 2, '{"into": null, "again": false, "modes": {"run": "append", "keys": [], "replay": false, "tables": [], "delete_missing": false}, "paths": ["/data/customers.csv", "/data/orders.csv"], "limits": {"run": {"rows": null, "percent": null}, "tables": []}, "tables": [], "columns": [], "dialect": {"null": [], "quote": null, "encoding": null, "delimiter": null}, "dry_run": false, "no_wait": false, "reports": "/data/work/rejects", "resumable": false, "schema_file": null, "lock_timeout": 5.0}', '', '/data/work/rejects/run-1-20260101T130001.csv', 1001, 'machine:2001', NULL);
INSERT INTO pgsluice.run OVERRIDING SYSTEM VALUE VALUES (2, '2026-01-01 14:00:00+00', '2026-01-01 14:00:02+00', 'vetoed', 2, '{"into": null, "again": false, "modes": {"run": "append", "keys": [], "replay": false, "tables": [], "delete_missing": false}, "paths": ["/data/orders_2.csv"], "limits": {"run": {"rows": 0, "percent": null}, "tables": []}, "tables": [], "columns": [], "dialect": {"null": [], "quote": null, "encoding": null, "delimiter": null}, "dry_run": false, "no_wait": false, "reports": "/data/work/rejects", "resumable": false, "schema_file": null, "lock_timeout": 5.0}', '1 of 2 rows were rejected, allowed are 0', '/data/work/rejects/run-2-20260101T140001.csv', 1002, 'machine:2002', NULL);
INSERT INTO pgsluice.run OVERRIDING SYSTEM VALUE VALUES (3, '2026-01-01 15:00:00+00', '2026-01-01 15:00:02+00', 'published', 2, '{"into": null, "again": true, "modes": {"run": "append", "keys": [], "replay": true, "tables": [], "delete_missing": false}, "paths": ["/data/corrected.csv"], "limits": {"run": {"rows": null, "percent": null}, "tables": []}, "tables": [], "columns": [], "dialect": {"null": [], "quote": null, "encoding": null, "delimiter": null}, "dry_run": false, "no_wait": false, "reports": "/data/work/rejects", "resumable": false, "schema_file": null, "lock_timeout": 5.0}', '', '/data/work/rejects/run-3-20260101T150001.csv', 1003, 'machine:2003', 1);
INSERT INTO pgsluice.run OVERRIDING SYSTEM VALUE VALUES (4, '2026-01-01 16:00:00+00', NULL, 'running', NULL, '{"into": null, "again": false, "modes": {"run": "append", "keys": [], "replay": false, "tables": [], "delete_missing": false}, "paths": ["/data/customers_2.csv", "/data/orders_2.csv"], "limits": {"run": {"rows": null, "percent": null}, "tables": []}, "tables": [], "columns": [], "dialect": {"null": [], "quote": null, "encoding": null, "delimiter": null}, "dry_run": false, "no_wait": false, "reports": "/data/work/rejects", "resumable": true, "schema_file": null, "lock_timeout": 5.0}', '', NULL, 1004, 'machine:2004', NULL);

-- Data for Name: stage_4_4000000001; Type: TABLE DATA; Schema: pgsluice; Owner: -

INSERT INTO pgsluice.stage_4_4000000001 VALUES (0, 8, 'i@x', 33, 'new');
INSERT INTO pgsluice.stage_4_4000000001 VALUES (1, 9, 'j@x', 44, 'new');

-- Data for Name: staged; Type: TABLE DATA; Schema: pgsluice; Owner: -

INSERT INTO pgsluice.staged VALUES (4, 4000000001, '/data/customers_2.csv', 'a1c19843522586867a154b280173932ed9043ff4cf72535f6423dbd16fd5cadb', 44, 0, 2, 2, 0, '[{"crc": 4271322609, "count": 2, "length": 26, "offset": 18, "first_line": 2, "first_ordinal": 0}]', 0);

-- Name: run_run_id_seq; Type: SEQUENCE SET; Schema: pgsluice; Owner: -

SELECT pg_catalog.setval('pgsluice.run_run_id_seq', 4, true);

-- Name: file file_pkey; Type: CONSTRAINT; Schema: pgsluice; Owner: -

ALTER TABLE ONLY pgsluice.file
    ADD CONSTRAINT file_pkey PRIMARY KEY (run_id, file_no);

-- Name: ledger_version ledger_version_pkey; Type: CONSTRAINT; Schema: pgsluice; Owner: -

ALTER TABLE ONLY pgsluice.ledger_version
    ADD CONSTRAINT ledger_version_pkey PRIMARY KEY (version);

-- Name: run run_pkey; Type: CONSTRAINT; Schema: pgsluice; Owner: -

ALTER TABLE ONLY pgsluice.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (run_id);

-- Name: staged staged_pkey; Type: CONSTRAINT; Schema: pgsluice; Owner: -

ALTER TABLE ONLY pgsluice.staged
    ADD CONSTRAINT staged_pkey PRIMARY KEY (run_id, table_oid, path);

-- Name: file_table_bytes; Type: INDEX; Schema: pgsluice; Owner: -

CREATE INDEX file_table_bytes ON pgsluice.file USING btree (table_oid, bytes);

-- Name: reject_run; Type: INDEX; Schema: pgsluice; Owner: -

CREATE INDEX reject_run ON pgsluice.reject USING brin (run_id);

-- Name: file file_run_id_fkey; Type: FK CONSTRAINT; Schema: pgsluice; Owner: -

ALTER TABLE ONLY pgsluice.file
    ADD CONSTRAINT file_run_id_fkey FOREIGN KEY (run_id) REFERENCES pgsluice.run(run_id) ON DELETE CASCADE;

-- Name: run run_replay_of_fkey; Type: FK CONSTRAINT; Schema: pgsluice; Owner: -

ALTER TABLE ONLY pgsluice.run
    ADD CONSTRAINT run_replay_of_fkey FOREIGN KEY (replay_of) REFERENCES pgsluice.run(run_id) ON DELETE CASCADE;
