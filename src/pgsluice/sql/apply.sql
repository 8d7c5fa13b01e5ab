-- How staged rows reach their table; see pipeline/apply/. In these statements s is a staged row and t a row of the table.
-- update, rewrite and insert run under the user's path (postgres/search_path.py): every name in them is qualified.

-- name: duplicate_merge_keys
-- Whether two staged rows have the same merge key.
SELECT EXISTS (SELECT FROM {stage} WHERE ({key}) IS NOT NULL GROUP BY {key} HAVING pg_catalog.count(*) > 1);

-- name: store_duplicate_keys
-- Ordinals of staged rows that share their merge key, with the ordinal of the first row of each key.
CREATE TEMP TABLE {duplicate_keys} ON COMMIT DROP AS
SELECT ordinal, first_ordinal
  FROM (SELECT {ordinal} AS ordinal, pg_catalog.min({ordinal}) OVER k AS first_ordinal, pg_catalog.count(*) OVER k AS n
          FROM {stage} WHERE ({key}) IS NOT NULL WINDOW k AS (PARTITION BY {key})) AS x
 WHERE n > 1;

-- name: update
-- Rows of the table whose match differs take the values of the match.
UPDATE {table} AS t SET {assignments} FROM {rows} AS s WHERE {match} AND {differs}{condition}

-- name: rewrite
-- As update, but every old row is deleted before the first new row is inserted, so that two rows may exchange values of a
-- unique key. An UPDATE refuses a value as soon as another row still has it.
WITH old AS (
    DELETE FROM {table} AS t USING {stage} AS s WHERE {match} AND {differs}
    RETURNING {kept}, s.{ordinal} AS {ordinal}
)
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM old ORDER BY {ordinal};

-- name: insert
-- Staged rows go into the table in file order. Values of identity columns stay as the file has them.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {values} FROM {rows} AS s WHERE true{new}{condition} ORDER BY {ordinal}

-- name: followed
-- Whether this role may read all rows of a table, and about how many it has.
SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT c.relrowsecurity, greatest(c.reltuples, 0)::bigint
  FROM pg_catalog.pg_class AS c WHERE c.oid = %(oid)s::oid;

-- name: count_written
-- How many row versions this session has written in a table and has ended, as far as it has not told PostgreSQL's
-- counters. What was rolled back counts.
SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
  FROM (SELECT %(oid)s::oid AS oid) AS c;

-- name: create_changed_rows
CREATE TEMP TABLE {rows} (LIKE {table}) ON COMMIT DROP

-- name: keep_old
-- Rows that an UPDATE will change, as they are.
INSERT INTO {old} SELECT t.* FROM {table} AS t, {rows} AS s WHERE {match} AND {differs}

-- name: keep_rows
-- A statement that also keeps the rows which it writes or deletes.
WITH written AS ({statement} RETURNING {returning})
INSERT INTO {rows} SELECT * FROM written

-- name: match
-- Staged rows that change the table: new rows, and rows that differ from their match.
CREATE TEMP TABLE pgsluice_matched ON COMMIT DROP AS
SELECT s.ctid AS row_id, {is_new} AS is_new
  FROM {stage} AS s LEFT JOIN {matches}
 WHERE {is_new}{differs};

-- name: matches_by_scan
-- A part of match: the table, to be joined.
{table} AS t ON {match}

-- name: matches_by_lookup
-- A part of match for a large table: the row of the table that a staged row looks up.
LATERAL (SELECT * FROM {table} AS t WHERE {match} OFFSET 0) AS t ON true

-- name: drop_matched
-- Staged rows whose merge key the table contains leave the stage.
DELETE FROM {stage} AS s WHERE EXISTS (SELECT FROM {table} AS t WHERE {match}{fence});

-- name: matched_rows
-- The new rows, or the rows that differ from their match.
CREATE TEMP TABLE {name} ON COMMIT DROP AS
SELECT s.* FROM pg_temp.pgsluice_matched AS m JOIN {stage} AS s ON s.ctid = m.row_id WHERE {which};

-- name: swallowed
-- Whether a trigger or rule kept a staged row out of the table although its INSERT succeeded.
SELECT EXISTS (SELECT FROM {stage} AS s WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {match}{fence}){condition})

-- name: ordinal_ranges
-- The ordinals of the stage as ranges: first ordinal, number of rows.
SELECT pg_catalog.min({ordinal}), pg_catalog.count(*)
  FROM (SELECT {ordinal}, {ordinal} - pg_catalog.row_number() OVER (ORDER BY {ordinal}) AS g FROM {stage}) AS x
 GROUP BY g ORDER BY 1;

-- name: bisect
-- A PL/pgSQL function that inserts the stage in windows, in file order. A window that PostgreSQL refuses shrinks until the
-- refused row stands alone and becomes a reject; windows grow again while rows are accepted. A banned row is tried in its
-- place and rejected with the verdict of its ban if PostgreSQL would accept it. The result is what single INSERTs in file
-- order would have given. Variables have the prefix sl_, because columns of the table may have any name.
-- The DETAIL of NOT NULL and CHECK repeats the row, whose record the reject holds: it is left out.
-- Only the UPDATE and the INSERT run under the user's path (postgres/search_path.py); an error takes the path back.
CREATE FUNCTION {function}(OUT sl_accepted bigint, OUT sl_inserted bigint, OUT sl_updated bigint,
    OUT sl_rejected bigint)
LANGUAGE plpgsql AS {body};

-- name: bisect_body
-- The body of the function above.
DECLARE sl_lo bigint; sl_hi bigint; sl_ban bigint; sl_n bigint; sl_u bigint; sl_i bigint; sl_wide bigint := 4096;
  sl_code text; sl_words text; sl_con text; sl_field text; sl_detail text; sl_hint text;
BEGIN
  sl_accepted := 0; sl_inserted := 0; sl_updated := 0; sl_rejected := 0;
  SELECT pg_catalog.min(s.{ordinal}) INTO sl_lo FROM {stage} AS s;
  WHILE sl_lo IS NOT NULL LOOP
    SELECT pg_catalog.min(b.ordinal) INTO sl_ban FROM pg_temp.pgsluice_banned AS b
     WHERE b.table_no = {table_no} AND b.ordinal >= sl_lo;
    SELECT pg_catalog.max(w.o), pg_catalog.count(*) INTO sl_hi, sl_n
      FROM (SELECT s.{ordinal} AS o FROM {stage} AS s
             WHERE s.{ordinal} >= sl_lo AND (sl_ban IS NULL OR s.{ordinal} < sl_ban)
             ORDER BY 1 LIMIT sl_wide) AS w;
    IF sl_n = 0 THEN
      sl_hi := sl_ban; sl_n := 1;
    END IF;
    sl_u := 0;
    BEGIN
      PERFORM pg_catalog.set_config('search_path', pg_catalog.current_setting('pgsluice.search_path'), true);
      {update}
      {insert};
      GET DIAGNOSTICS sl_i = ROW_COUNT;
      PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
      {refuse_duplicates}
      IF ({swallowed}) THEN
        RAISE EXCEPTION USING ERRCODE = 'PGSL1', MESSAGE = 'a trigger or rule of the table kept the row out';
      END IF;
      IF sl_hi = sl_ban THEN
        RAISE EXCEPTION USING ERRCODE = 'PGSL2';
      END IF;
      sl_accepted := sl_accepted + sl_n; sl_inserted := sl_inserted + sl_i; sl_updated := sl_updated + sl_u;
      sl_wide := least(sl_wide * 2, 65536);
      sl_lo := sl_hi + 1;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS sl_code = RETURNED_SQLSTATE, sl_words = MESSAGE_TEXT, sl_con = CONSTRAINT_NAME,
        sl_field = COLUMN_NAME, sl_detail = PG_EXCEPTION_DETAIL, sl_hint = PG_EXCEPTION_HINT;
      IF {system_error} THEN RAISE; END IF;
      IF sl_code = 'PGSL2' THEN
        INSERT INTO pg_temp.pgsluice_reject
                    (table_no, ordinal, kind, column_name, constraint_name, sqlstate, message, detail)
          SELECT b.table_no, b.ordinal, b.kind, b.column_name, b.constraint_name, b.sqlstate, b.message, b.detail
            FROM pg_temp.pgsluice_banned AS b
           WHERE b.table_no = {table_no} AND b.ordinal = sl_ban;
        sl_rejected := sl_rejected + 1;
        sl_lo := sl_hi + 1;
      ELSIF sl_n = 1 THEN
        INSERT INTO pg_temp.pgsluice_reject
                    (table_no, ordinal, kind, column_name, constraint_name, sqlstate, message, detail)
          VALUES ({table_no}, sl_hi, CASE sl_code WHEN '23502' THEN 'not_null' WHEN '23514' THEN 'check'
            WHEN '23505' THEN 'unique' WHEN '23503' THEN 'foreign_key' WHEN '23P01' THEN 'exclusion'
            WHEN '42501' THEN 'policy' WHEN 'PGSL1' THEN 'trigger' WHEN 'P0001' THEN 'trigger'
            ELSE CASE WHEN pg_catalog.left(sl_code, 2) = '22' THEN 'value' ELSE 'other' END END,
            coalesce(sl_field, ''), coalesce(sl_con, ''), coalesce(nullif(sl_code, 'PGSL1'), ''), sl_words,
            CASE WHEN sl_code IN ('23502', '23514') THEN '' ELSE {detail} END);
        sl_rejected := sl_rejected + 1;
        sl_lo := sl_hi + 1;
        sl_wide := 1;
      ELSE
        sl_wide := greatest(sl_n / 4, 1);
      END IF;
    END;
    SELECT pg_catalog.min(s.{ordinal}) INTO sl_lo FROM {stage} AS s WHERE s.{ordinal} >= sl_lo;
  END LOOP;
END

-- name: refuse_duplicates
-- A part of the function above: refuses a window with a row whose merge key an earlier accepted row has, in the words for
-- any second row of a unique index. (Both rows would update the same row of the table, and no constraint would say so.)
IF EXISTS (SELECT FROM {duplicate_keys} AS b
             JOIN {duplicate_keys} AS a ON a.first_ordinal = b.first_ordinal AND a.ordinal < b.ordinal
            WHERE b.ordinal BETWEEN sl_lo AND sl_hi
              AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_reject AS q
                               WHERE q.table_no = {table_no} AND q.ordinal = a.ordinal)) THEN
        RAISE EXCEPTION USING ERRCODE = {sqlstate}, MESSAGE = {message}, CONSTRAINT = {constraint}, COLUMN = {column};
      END IF;

-- name: deferred_deletes
-- Merge keys of missing rows that rows of the run's tables still reference.
CREATE TEMP TABLE {deferred_deletes} ON COMMIT DROP AS {held};

-- name: unreadable_keys
-- Records whose merge key cannot be read, or lacks a value that must be there.
SELECT ordinal FROM pg_temp.pgsluice_reject
 WHERE table_no = {table_no}
   AND (kind = 'structure' OR kind = 'value' AND (column_name = '' OR column_name = ANY ({key})))

-- name: default_expressions
-- The default of each column of a table as SQL: its own, that of its domain, or the next value of its identity. Under the
-- safe path names in it are qualified.
SELECT a.attname::text,
       CASE WHEN a.attidentity <> ''
            THEN 'pg_catalog.nextval(' || pg_catalog.quote_literal(pg_catalog.pg_get_serial_sequence(
                     a.attrelid::regclass::text, a.attname::text)) || '::pg_catalog.regclass)'
            WHEN d.oid IS NOT NULL THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid)
            ELSE pg_catalog.pg_get_expr(t.typdefaultbin, 0) END
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %(oid)s::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND (a.attidentity <> '' OR d.oid IS NOT NULL OR t.typdefaultbin IS NOT NULL);

-- name: defaults
-- The default of a column as text, once for each row.
SELECT ({expression})::pg_catalog.text FROM pg_catalog.generate_series(1, %(count)s);
