-- Which rows break a constraint, which of several duplicates stays, and how rejected rows leave; see pipeline/validate/.

-- name: violations
-- Rows of a query are violations of one constraint.
INSERT INTO pg_temp.pgsluice_violation (table_no, row_id, priority)
SELECT {table_no}, f.row_id, {priority} FROM ({rows}) AS f (row_id);

-- name: verdict
-- The verdict that belongs to a priority.
INSERT INTO pg_temp.pgsluice_violation_verdict SELECT {table_no}, {priority}, {verdict};

-- name: check_violations
-- Rows that break a CHECK, by the first CHECK that is false. The alias is the table's own name, for expressions that
-- name the whole row.
INSERT INTO pg_temp.pgsluice_violation (table_no, row_id, priority)
SELECT {table_no}, f.row_id, f.priority
  FROM (SELECT {alias}.ctid, CASE {cases} END FROM {relation} AS {alias}) AS f (row_id, priority)
 WHERE f.priority IS NOT NULL;

-- name: parent
-- What the trigger of a foreign key sees of its parent table.
SELECT c.relkind = 'p', pg_catalog.row_security_active(c.oid)
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: key_groups
-- Keys of a unique index that several rows share. Keys come first and their rows later, because nothing tells the planner
-- that shared keys are few.
CREATE TEMP TABLE pgsluice_key_group ON COMMIT DROP AS
SELECT {keys}, pg_catalog.row_number() OVER () AS group_no FROM {keyed_rows}
    AS g GROUP BY {keys} HAVING pg_catalog.count(*) > 1;

-- name: duplicates
-- Rows with a shared key, with their ordinals. All rows are numbered, but the key expression is evaluated only for rows
-- that the index contains.
INSERT INTO pg_temp.pgsluice_duplicate (table_no, index_no, group_no, row_id, ordinal)
SELECT {table_no}, {index_no}, b.group_no, a.row_id, {ordinal}
  FROM (SELECT ctid AS row_id, {rank}, {within} AS within, {keys} FROM {relation}) AS a
  JOIN pg_temp.pgsluice_key_group AS b ON {same} AND a.within{row_map};

-- name: stored_duplicates
-- Staged rows whose key the table contains.
SELECT a.row_id FROM {staged} AS a WHERE EXISTS (SELECT FROM {stored} AS b WHERE {same}{fence});

-- name: rows_in_table
-- Held rows and the row of the table, filled in place, that has the same key.
CREATE TEMP TABLE pgsluice_earlier ON COMMIT DROP AS
SELECT b.row_id, a.row_id AS staged_id, a.{ordinal} AS ordinal
  FROM {staged} AS a CROSS JOIN LATERAL (SELECT b.row_id FROM {stored} AS b WHERE {same}{fence}) AS b;

-- name: duplicates_of_rows_in_table
-- Held rows with the key of a row in the table violate the unique index.
INSERT INTO pg_temp.pgsluice_violation (table_no, row_id, ordinal, priority, earlier_ordinal)
SELECT {table_no}, w.staged_id, w.ordinal, {priority}, w.found_ordinal FROM ({rows}) AS w;

-- name: comes_later
-- Whether the row in the table comes behind the held row in the files.
SELECT EXISTS (SELECT FROM pg_temp.pgsluice_violation
                WHERE table_no = {table_no} AND priority = {priority} AND earlier_ordinal > ordinal);

-- name: key_moves_away
-- Whether a stored row that has the key of a staged row will itself be updated and give the key up.
SELECT EXISTS (
    SELECT FROM {stored} AS b
     WHERE EXISTS (SELECT FROM {staged} AS a WHERE {same})
       AND EXISTS (SELECT FROM {staged_keys} AS m WHERE {matched})
       AND NOT EXISTS (SELECT FROM {staged} AS a WHERE {own} AND {alike}));

-- name: exclude_violations
-- Rows with a violation other than "duplicate of a stored row" are excluded.
INSERT INTO pg_temp.pgsluice_excluded
SELECT DISTINCT v.table_no, v.row_id, false
  FROM pg_temp.pgsluice_violation AS v
 WHERE NOT {stored_duplicate}
   AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_excluded AS e
                    WHERE e.table_no = v.table_no AND e.row_id = v.row_id AND NOT e.as_duplicate);

-- name: exclude_stored_duplicates
-- Duplicates of stored rows are excluded like duplicates within the files.
INSERT INTO pg_temp.pgsluice_excluded
SELECT DISTINCT v.table_no, v.row_id, true
  FROM pg_temp.pgsluice_violation AS v
 WHERE {stored_duplicate}
   AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_excluded AS e
                    WHERE e.table_no = v.table_no AND e.row_id = v.row_id);

-- name: stored_duplicate
-- A condition on v, a violation: its reason is a stored row with the same key.
EXISTS (SELECT FROM pg_temp.pgsluice_violation_verdict AS w
         WHERE w.table_no = v.table_no AND w.priority = v.priority AND w.kind = 'unique')

-- name: several_indexes
-- Whether the duplicates belong to more than one unique index.
SELECT (pg_catalog.min(table_no), pg_catalog.min(index_no)) <> (pg_catalog.max(table_no), pg_catalog.max(index_no))
    FROM pg_temp.pgsluice_duplicate;

-- name: contenders
-- Duplicates that are not excluded; of a single index the first of each group suffices.
CREATE TEMP TABLE pgsluice_contender ON COMMIT DROP AS
SELECT {columns} FROM pg_temp.pgsluice_duplicate AS d {condition} {group};

-- name: exclude_later
-- All but the first of each group of a single unique index.
INSERT INTO pg_temp.pgsluice_excluded
SELECT d.table_no, d.row_id, true
  FROM pg_temp.pgsluice_duplicate AS d
  JOIN pg_temp.pgsluice_contender AS c USING (table_no, index_no, group_no)
 WHERE d.ordinal > c.ordinal
   AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_excluded AS x WHERE x.table_no = d.table_no AND x.row_id = d.row_id);

-- name: exclude_round
-- One round for several unique indexes: duplicates whose group leader is the first in each of its groups.
WITH leader AS (
    SELECT table_no, index_no, group_no, pg_catalog.min(ordinal) AS ordinal
      FROM pg_temp.pgsluice_contender GROUP BY table_no, index_no, group_no
), later AS MATERIALIZED (
    SELECT DISTINCT c.table_no, c.ordinal
      FROM pg_temp.pgsluice_contender AS c
      JOIN leader AS l USING (table_no, index_no, group_no)
     WHERE c.ordinal <> l.ordinal
)
INSERT INTO pg_temp.pgsluice_excluded
SELECT DISTINCT c.table_no, c.row_id, true
  FROM pg_temp.pgsluice_contender AS c
  JOIN leader AS l USING (table_no, index_no, group_no)
 WHERE c.ordinal > l.ordinal
   AND NOT EXISTS (SELECT FROM later AS x WHERE x.table_no = l.table_no AND x.ordinal = l.ordinal);

-- name: drop_excluded_contenders
-- Excluded rows contend no longer.
DELETE FROM pg_temp.pgsluice_contender AS c
 USING pg_temp.pgsluice_excluded AS e
 WHERE e.as_duplicate AND e.table_no = c.table_no AND e.row_id = c.row_id;

-- name: exclude_one_by_one
-- A PL/pgSQL program that decides the contenders in file order, row by row: for chains that the rounds do not end.
DECLARE r record;
BEGIN
  CREATE TEMP TABLE pgsluice_kept_key (
    table_no integer, index_no integer, group_no bigint, PRIMARY KEY (table_no, index_no, group_no)
  ) ON COMMIT DROP;
  FOR r IN SELECT table_no, row_id, pg_catalog.array_agg(index_no) AS index_nos, pg_catalog.array_agg(group_no)
      AS group_nos
             FROM pg_temp.pgsluice_contender
            GROUP BY table_no, ordinal, row_id ORDER BY table_no, ordinal LOOP
    IF EXISTS (SELECT FROM unnest(r.index_nos, r.group_nos) AS u (index_no, group_no)
                 JOIN pg_temp.pgsluice_kept_key AS k
                   ON k.table_no = r.table_no AND k.index_no = u.index_no AND k.group_no = u.group_no) THEN
      INSERT INTO pg_temp.pgsluice_excluded VALUES (r.table_no, r.row_id, true);
    ELSE
      INSERT INTO pg_temp.pgsluice_kept_key
        SELECT r.table_no, u.index_no, u.group_no FROM unnest(r.index_nos, r.group_nos) AS u (index_no, group_no);
    END IF;
  END LOOP;
  DROP TABLE pg_temp.pgsluice_kept_key;
END

-- name: duplicate_violations
-- Excluded rows that have the key of an earlier row which stays violate that unique index.
INSERT INTO pg_temp.pgsluice_violation (table_no, row_id, ordinal, priority, earlier_ordinal)
SELECT d.table_no, d.row_id, d.ordinal, {priority}, k.ordinal
  FROM pg_temp.pgsluice_duplicate AS d
  JOIN pg_temp.pgsluice_contender AS k
    ON k.table_no = d.table_no AND k.index_no = d.index_no AND k.group_no = d.group_no AND k.ordinal < d.ordinal
 WHERE d.table_no = {table_no} AND d.index_no = {index_no};

-- name: first_violation
-- Each violating row once, with its lowest priority and the earlier row that belongs to that priority. Both are packed
-- into one number, the ordinal in its last forty bits.
SELECT row_id, ordinal, (reason >> 40)::integer AS priority,
       nullif(reason & ((1::bigint << 40) - 1), 0) - 1 AS earlier_ordinal
  FROM (SELECT row_id, pg_catalog.max(ordinal) AS ordinal,
               pg_catalog.min((priority::bigint << 40) + coalesce(earlier_ordinal + 1, 0)) AS reason
          FROM pg_temp.pgsluice_violation WHERE table_no = {table_no} GROUP BY row_id) AS r

-- name: share_verdicts
-- Verdicts of this validation, each once and numbered.
INSERT INTO pg_temp.pgsluice_verdict
SELECT (SELECT pg_catalog.count(*) FROM pg_temp.pgsluice_verdict) + pg_catalog.row_number() OVER (), s.*
  FROM (SELECT DISTINCT * FROM pg_temp.pgsluice_violation_verdict
        EXCEPT
        SELECT table_no, priority, kind, column_name, constraint_name, sqlstate, message
          FROM pg_temp.pgsluice_verdict) AS s;

-- name: reject_violations
-- Violating rows become rejects.
INSERT INTO pg_temp.pgsluice_reject (table_no, ordinal, verdict_no, detail, related_table_no, related_ordinal)
SELECT w.table_no, v.ordinal, w.verdict_no, {detail}, CASE WHEN v.earlier_ordinal IS NOT NULL THEN w.table_no END,
       v.earlier_ordinal
  FROM ({rows}) AS v
  JOIN pg_temp.pgsluice_verdict AS w ON w.table_no = {table_no} AND w.priority = v.priority{detailed_rows};

-- name: detailed_rows
-- A part of reject_violations and ban: the rows with the DETAIL of each constraint that some rows violate. The names of
-- the user's columns stay in the subquery.
 JOIN (SELECT ctid AS row_id, {details} FROM {relation}) AS r ON r.row_id = {row_id}

-- name: remaining_rows
-- Rows that stay in a table filled in place, in the order of the heap.
CREATE TEMP TABLE pgsluice_remaining ON COMMIT DROP AS
SELECT {columns} FROM {relation} AS r
 WHERE NOT EXISTS (SELECT FROM ({rejected}) AS o WHERE o.row_id = r.ctid)
 ORDER BY r.ctid;

-- name: rejected_staged_rows
-- Staged rows that are among the rejects.
SELECT s.ctid AS row_id, s.{ordinal} AS ordinal
  FROM {stage} AS s
  JOIN pg_temp.pgsluice_reject AS q ON q.ordinal = s.{ordinal} AND q.table_no = {table_no}

-- name: keys_of_rejected
-- Key columns of rejected rows.
SELECT o.ordinal, {keys} FROM {relation} AS r JOIN ({rejected}) AS o ON o.row_id = r.ctid

-- name: name_parents
-- Rejected orphans whose parent was rejected in this run get the kind "parent" and the ordinal of the parent.
UPDATE pg_temp.pgsluice_reject AS q
   SET kind = 'parent', related_table_no = {parent_no}, related_ordinal = g.ordinal
  FROM ({rejected}) AS o
  JOIN {relation} AS r ON r.ctid = o.row_id
  JOIN (SELECT {parent_columns}, pg_catalog.min({parent_ordinal}) AS ordinal
      FROM {parent_keys} GROUP BY {parent_columns}) AS g
    ON {same}
 WHERE q.table_no = {table_no} AND q.ordinal = o.ordinal
   AND (q.kind = 'foreign_key' AND q.constraint_name = {constraint}
        OR q.kind = '' AND q.verdict_no IN (
            SELECT w.verdict_no FROM pg_temp.pgsluice_verdict AS w
             WHERE w.kind = 'foreign_key' AND w.constraint_name = {constraint}));

-- name: exclude_refused
-- Refused staged rows are excluded; those refused as duplicates may stay if the earlier row is banned.
INSERT INTO pg_temp.pgsluice_excluded
SELECT q.table_no, s.ctid,
       q.as_duplicate AND NOT EXISTS (SELECT FROM pg_temp.pgsluice_banned AS b
                                       WHERE b.table_no = q.table_no AND b.ordinal = q.ordinal)
  FROM pg_temp.pgsluice_refused AS q
  JOIN {stage} AS s ON s.{ordinal} = q.ordinal
 WHERE q.table_no = {table_no};

-- name: ban
-- Staged rows with violations are banned, with the verdict of the lowest priority.
INSERT INTO pg_temp.pgsluice_banned
SELECT w.table_no, o.ordinal, w.kind, w.column_name, w.constraint_name, w.sqlstate, w.message, {detail}
  FROM (SELECT s.{ordinal} AS ordinal, s.ctid AS row_id, pg_catalog.min(v.priority) AS priority
          FROM pg_temp.pgsluice_violation AS v JOIN {stage} AS s ON s.ctid = v.row_id
         WHERE v.table_no = {table_no} GROUP BY s.{ordinal}, s.ctid) AS o
  JOIN (SELECT DISTINCT * FROM pg_temp.pgsluice_violation_verdict WHERE table_no = {table_no}) AS w
    ON w.priority = o.priority{detailed_rows}
ON CONFLICT DO NOTHING;

-- name: numbered_rows
-- Rows of a query with the ordinal of each as found_ordinal.
SELECT w.*, {ordinal} AS found_ordinal
  FROM (SELECT ctid AS row_id, {rank} FROM {relation}) AS r
  JOIN ({rows}) AS w ON w.row_id = r.row_id{row_map}

-- name: found_in_heap
-- Rows of a query with the ordinal of each as found_ordinal; each count reads the pages from one row to the next.
SELECT w.*, {ordinal} AS found_ordinal
  FROM (SELECT p.row_id,
               (pg_catalog.sum((SELECT pg_catalog.count(*) FROM {relation} AS h
                                 WHERE h.ctid > p.before AND h.ctid <= p.row_id)) OVER (ORDER BY p.row_id))::bigint
                 AS rank
          FROM (SELECT d.row_id, pg_catalog.lag(d.row_id, 1, '(0,0)'::tid) OVER (ORDER BY d.row_id) AS before
                  FROM (SELECT DISTINCT row_id FROM ({rows}) AS u) AS d) AS p) AS r
  JOIN ({rows}) AS w ON w.row_id = r.row_id{row_map}

-- name: row_map_lookup
-- Stands behind the tables of a query over ranks: the range of the row map that a rank belongs to.
 CROSS JOIN LATERAL (SELECT g.first_rank, g.ordinal FROM pg_temp.pgsluice_row_map AS g
                      WHERE g.first_rank <= rank ORDER BY g.first_rank DESC LIMIT 1) AS range
