-- name: farthest_value
-- The farthest value of a column in the direction of its sequence.
SELECT CASE WHEN q.seqincrement > 0 THEN (SELECT pg_catalog.max({column}) FROM {relation})
            ELSE (SELECT pg_catalog.min({column}) FROM {relation}) END::numeric
  FROM pg_catalog.pg_sequence AS q WHERE q.seqrelid = {sequence}::regclass;

-- name: sequence_step
-- The step (1 or -1) from a value to the next value of a sequence; no row if the sequence is past the value or ends there.
SELECT pg_catalog.sign(q.seqincrement)::int
  FROM {sequence} AS s, pg_catalog.pg_sequence AS q
 WHERE q.seqrelid = {name}::regclass
   AND CASE WHEN q.seqincrement > 0
            THEN {value} >= s.last_value + s.is_called::int AND {value} < q.seqmax
            ELSE {value} <= s.last_value - s.is_called::int AND {value} > q.seqmin END;

-- name: may_checkpoint
-- Whether the server does not log new tables, and whether this role may ask for a checkpoint.
SELECT pg_catalog.current_setting('wal_level') = 'minimal', r.rolsuper OR pg_catalog.pg_has_role(r.oid,
    'pg_checkpoint', 'MEMBER')
  FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user;
