-- Which texts of a text stage PostgreSQL's input functions accept; see pipeline/validate/values.py. The input function of
-- a domain may call functions of the user, so these statements run under the user's path (postgres/search_path.py): every
-- name in them is qualified.

-- name: find_bad_values
-- The first column of each row whose input function refuses the text. OFFSET 0 keeps the planner from evaluating the
-- CASE once for each place that names it.
CREATE TEMP TABLE pgsluice_bad_value ON COMMIT DROP AS
SELECT d.{ordinal} AS ordinal, f.column_no, CASE {texts} END AS value
  FROM {text_stage} AS d
 CROSS JOIN LATERAL (SELECT CASE {first_bad} END AS column_no OFFSET 0) AS f
 WHERE f.column_no IS NOT NULL;

-- name: reject_bad_values
-- Rejects for the bad values of one column, in PostgreSQL's words. Asking for the words of every row would take four
-- times as long as asking whether the text is valid.
INSERT INTO pg_temp.pgsluice_reject (table_no, ordinal, kind, column_name, sqlstate, message, detail)
SELECT {table_no}, w.ordinal, 'value', {column}, (w.error).sql_error_code, (w.error).message, {detail}
  FROM (SELECT ordinal, value, pg_catalog.pg_input_error_info(value, {type}) AS error
          FROM pg_temp.pgsluice_bad_value WHERE column_no OPERATOR(pg_catalog.=) {column_no} OFFSET 0) AS w;

-- name: json_place
-- A function that says where a text breaks the rules of JSON. Only the context of an error says it, which no query can
-- ask for. Its first line is that of the input function.
CREATE OR REPLACE FUNCTION pg_temp.pgsluice_json_place(value pg_catalog.text) RETURNS pg_catalog.text
LANGUAGE plpgsql AS $$
DECLARE place pg_catalog.text;
BEGIN
  PERFORM value::pg_catalog.json;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS place = PG_EXCEPTION_CONTEXT;
  RETURN pg_catalog.split_part(place, E'\n', 1);
END $$;

-- name: move_to_stage
-- Accepted rows of the text stage, converted by the input functions of their columns. Both OFFSET 0 are fences. Without
-- the first the planner may convert rows before it leaves the rejected rows out, and does so for wide tables; without the
-- second it converts a row once for each column.
INSERT INTO {stage} ({columns})
SELECT (v.converted).*
  FROM (SELECT * FROM {text_stage} AS r
         WHERE NOT EXISTS (SELECT FROM pg_temp.pgsluice_reject AS q
                            WHERE q.table_no OPERATOR(pg_catalog.=) {table_no}
                              AND q.ordinal OPERATOR(pg_catalog.=) r.{ordinal}){among}
        OFFSET 0) AS d
 CROSS JOIN LATERAL (SELECT ({record})::{row_type} AS converted OFFSET 0) AS v;

-- name: create_row_type
-- A table whose row type has the columns of some files only.
CREATE TEMP TABLE {row_type} ON COMMIT DROP AS SELECT {columns} FROM {stage} WITH NO DATA;

-- name: rejected_keys
-- Key columns of the rejected rows of the text stage.
SELECT r.{ordinal}, {keys}
  FROM {text_stage} AS r
 WHERE EXISTS (SELECT FROM pg_temp.pgsluice_reject AS q
                WHERE q.table_no OPERATOR(pg_catalog.=) {table_no} AND q.ordinal OPERATOR(pg_catalog.=) r.{ordinal});

-- name: convert_one_by_one
-- A PL/pgSQL program that converts each row of the text stage in a block of its own and makes a reject of each row that
-- cannot be converted, with the first column that refuses its text.
DECLARE d pg_catalog.record; v {row_type}; code pg_catalog.text; words pg_catalog.text; field pg_catalog.text;
  more pg_catalog.text; hint pg_catalog.text;
  place pg_catalog.text;
BEGIN
  FOR d IN SELECT * FROM {text_stage} AS r WHERE true{among} ORDER BY {ordinal} LOOP
    BEGIN
      v := {record};
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, words = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
      IF {system_error} THEN RAISE; END IF;
      field := '';
      {columns}
      place := {place};
      INSERT INTO pg_temp.pgsluice_reject (table_no, ordinal, kind, column_name, sqlstate, message, detail)
        VALUES ({table_no}, d.{ordinal}, 'value', field, code, words, {detail});
    END;
  END LOOP;
END

-- name: convert_one_column
-- A part of convert_one_by_one: does this column refuse its text? The other columns are NULL meanwhile, which a domain
-- among them may refuse as well.
      IF field OPERATOR(pg_catalog.=) '' AND d.{column} IS NOT NULL THEN
        BEGIN {convert} EXCEPTION WHEN OTHERS THEN field := {name}; END;
      END IF;

-- name: convert_one_null
-- A part of convert_one_by_one: does the domain of this column refuse NULL?
      IF field OPERATOR(pg_catalog.=) '' AND d.{column} IS NULL THEN
        BEGIN PERFORM CAST(NULL AS {type}); EXCEPTION WHEN OTHERS THEN field := {name}; END;
      END IF;

-- name: evaluate
-- Texts of the columns of a table of which some are computed.
INSERT INTO {evaluated} ({columns}) SELECT {values} FROM {text_stage} AS {row} WHERE {among};

-- name: evaluate_one_by_one
-- A PL/pgSQL program that does the same row by row, and makes a reject of each row for which an expression fails. The
-- names of the fields of an expression win over the program's variables.
#variable_conflict use_column
DECLARE {row} pg_catalog.record; pgsluice_code pg_catalog.text; pgsluice_words pg_catalog.text;
  pgsluice_field pg_catalog.text;
BEGIN
  FOR {row} IN SELECT {row}.* FROM {text_stage} AS {row} WHERE {among} ORDER BY {ordinal} LOOP
    BEGIN
      INSERT INTO {evaluated} ({columns}) SELECT {values};
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS pgsluice_code = RETURNED_SQLSTATE, pgsluice_words = MESSAGE_TEXT;
      IF {system_error} THEN RAISE; END IF;
      pgsluice_field := '';
      {failing}
      INSERT INTO pg_temp.pgsluice_reject (table_no, ordinal, kind, column_name, sqlstate, message)
        VALUES ({table_no}, {row_ordinal}, 'value', pgsluice_field, pgsluice_code, pgsluice_words);
    END;
  END LOOP;
END

-- name: reject_unordered_dates
-- Rejects for computed dates in numeric form, whose order of day and month the default of DateStyle would decide.
WITH unordered AS (
    DELETE FROM {evaluated} AS e
     WHERE e.{column} OPERATOR(pg_catalog.~) '^\s*[0-9]{{1,2}}[-/. ][0-9]{{1,2}}[-/. ][0-9]{{1,4}}'
       AND (SELECT s.source OPERATOR(pg_catalog.=) ANY (ARRAY['default', 'configuration file'])
              FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) 'DateStyle')
    RETURNING e.{ordinal}, e.{column}
)
INSERT INTO pg_temp.pgsluice_reject (table_no, ordinal, kind, column_name, sqlstate, message)
SELECT {table_no}, u.{ordinal}, 'value', {name}, '22007',
       pg_catalog.format('nothing says whether day or month comes first in "%s"; the expression can: to_date(field, %L)',
           u.{column}, 'DD.MM.YYYY')
  FROM unordered AS u;

-- name: find_failing
-- A part of evaluate_one_by_one: does the expression of this column fail?
      IF pgsluice_field OPERATOR(pg_catalog.=) '' THEN
        BEGIN PERFORM {value}; EXCEPTION WHEN OTHERS THEN pgsluice_field := {name}; END;
      END IF;
