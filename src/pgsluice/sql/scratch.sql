-- The scratch tables of a run: temporary tables of the main connection. pipeline/scratch.py has their names and says what
-- each holds; docs/explanation/scratch-tables.md lists who fills and who reads them. Columns that several tables share:
--   table_no  number of the table run        ordinal  number of the record within the table run
--   row_id    ctid of a row in the relation that is validated (the stage, or the table itself)
--   priority  order in which PostgreSQL checks constraints: the lowest priority is the reason that it would name
--   kind, column_name, constraint_name, sqlstate, message, detail   the verdict on a row; detail belongs to the row even
--                          where rows share the other parts

-- name: create_rejects
-- Rejects of the run, and verdicts that many rejects share.
CREATE TEMP TABLE pgsluice_reject (
    table_no integer NOT NULL,
    ordinal bigint NOT NULL,
    verdict_no integer,
    kind text NOT NULL DEFAULT '',
    column_name text NOT NULL DEFAULT '',
    constraint_name text NOT NULL DEFAULT '',
    sqlstate text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    related_table_no integer,
    related_ordinal bigint
) ON COMMIT DROP;
CREATE TEMP TABLE pgsluice_verdict (
    verdict_no integer NOT NULL,
    table_no integer NOT NULL,
    priority integer NOT NULL,
    kind text NOT NULL,
    column_name text NOT NULL,
    constraint_name text NOT NULL,
    sqlstate text NOT NULL,
    message text NOT NULL
) ON COMMIT DROP;

-- name: create_violations
-- The working tables of one validation.
CREATE TEMP TABLE IF NOT EXISTS pgsluice_violation (
    table_no integer NOT NULL,
    row_id tid NOT NULL,
    ordinal bigint,
    priority integer NOT NULL,
    earlier_ordinal bigint
) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS pgsluice_violation_verdict (
    table_no integer NOT NULL,
    priority integer NOT NULL,
    kind text NOT NULL,
    column_name text NOT NULL,
    constraint_name text NOT NULL,
    sqlstate text NOT NULL,
    message text NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS pgsluice_duplicate (
    table_no integer NOT NULL,
    index_no integer NOT NULL,
    group_no bigint NOT NULL,
    row_id tid NOT NULL,
    ordinal bigint
) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS pgsluice_excluded (
    table_no integer NOT NULL,
    row_id tid NOT NULL,
    as_duplicate boolean NOT NULL
) ON COMMIT DROP;

-- name: empty_violations
-- The working tables before the next validation.
TRUNCATE pg_temp.pgsluice_violation, pg_temp.pgsluice_violation_verdict, pg_temp.pgsluice_duplicate,
         pg_temp.pgsluice_excluded;

-- name: create_rejected_row
-- Violating rows with an ordinal and one verdict each, where the violations lack the ordinal or have several verdicts.
DROP TABLE IF EXISTS pg_temp.pgsluice_rejected_row;
CREATE TEMP TABLE pgsluice_rejected_row (
    table_no integer,
    row_id tid,
    ordinal bigint,
    priority integer,
    earlier_ordinal bigint
) ON COMMIT DROP;

-- name: create_banned
-- Rows that the bisecting insert must reject although PostgreSQL would accept them, because they have no parent.
CREATE TEMP TABLE IF NOT EXISTS pgsluice_banned (
    table_no integer,
    ordinal bigint,
    kind text NOT NULL,
    column_name text NOT NULL,
    constraint_name text NOT NULL,
    sqlstate text NOT NULL,
    message text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (table_no, ordinal)
) ON COMMIT DROP;

-- name: create_refused
-- Rows that PostgreSQL refused when rows were inserted one by one.
CREATE TEMP TABLE IF NOT EXISTS pgsluice_refused (
    table_no integer,
    ordinal bigint,
    as_duplicate boolean
) ON COMMIT DROP;
TRUNCATE pg_temp.pgsluice_refused;

-- name: create_row_map
-- Ranges of the row map: the row of rank first_rank has this ordinal, and the rows behind it count on.
DROP TABLE IF EXISTS pg_temp.pgsluice_row_map;
CREATE TEMP TABLE pgsluice_row_map (
    first_rank bigint NOT NULL,
    ordinal bigint NOT NULL
) ON COMMIT DROP;

-- name: index_row_map
-- The row map is filled and will be joined by rank.
CREATE INDEX ON pg_temp.pgsluice_row_map (first_rank);
ANALYZE pg_temp.pgsluice_row_map;

-- name: create_related_line
-- Lines of the rows that rejects name: rejected parents, and earlier rows with the same key.
CREATE TEMP TABLE pgsluice_related_line (
    table_no integer,
    ordinal bigint,
    file_no integer,
    line bigint
) ON COMMIT DROP;

-- name: create_stage
-- The stage of a table: the ordinal and the columns of the files. CREATE TABLE AS takes types with their modifiers and
-- collations from the table itself and leaves out constraints, defaults and identity.
CREATE {persistence} TABLE {stage} {on_commit} AS
SELECT NULL::bigint AS {ordinal}, {columns} FROM {table} WITH NO DATA;

-- name: create_text_stage
-- The text stage of a table: the ordinal and the columns of the files as text.
CREATE {persistence} TABLE {text_stage} ({ordinal} bigint, {columns}) {on_commit};

-- name: create_rejected_keys
-- Key columns of rejected rows as text, so that rejected children can name their parent.
CREATE TEMP TABLE {rejected_keys} ({ordinal} bigint, {columns}) ON COMMIT DROP;

-- name: create_sequence
-- Numbers rows that COPY brings into a stage without an ordinal.
CREATE SEQUENCE {sequence} MINVALUE 0 CACHE 1000;
ALTER TABLE {stage} ALTER {ordinal} SET DEFAULT pg_catalog.nextval({sequence_name}::regclass);

-- name: create_faults
-- Unparsable records of a resumable run; the table outlives the run's connections.
CREATE UNLOGGED TABLE IF NOT EXISTS {faults} (
    table_no integer,
    ordinal bigint,
    kind text,
    column_name text,
    constraint_name text,
    sqlstate text,
    message text,
    detail text NOT NULL DEFAULT ''
);
