-- name: lock_holders
-- Sessions other than the main connection that hold a lock on one of the tables.
SELECT DISTINCT l.pid, coalesce(nullif(a.application_name, ''), a.backend_type), a.usename
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_stat_activity AS a USING (pid)
 WHERE l.granted AND l.relation = ANY (%(oids)s::oid[]) AND l.pid <> %(main_pid)s
 ORDER BY 1;

-- name: ordinary_tables
-- The oids of all ordinary tables.
SELECT oid::bigint FROM pg_catalog.pg_class WHERE relkind = 'r';

-- name: date_style
-- Whether DateStyle was set for the session (PGOPTIONS, PGDATESTYLE, the address), the role or the database.
SELECT source NOT IN ('default', 'configuration file') FROM pg_catalog.pg_settings WHERE name = 'DateStyle';

-- name: money_sign
-- Whether lc_monetary was set for the session, the role or the database, and the decimal sign of the type money.
SELECT source NOT IN ('default', 'configuration file'),
       CASE WHEN '1.5'::pg_catalog.money::pg_catalog.numeric OPERATOR(pg_catalog.=) 1.5 THEN '.' ELSE ',' END
  FROM pg_catalog.pg_settings WHERE name = 'lc_monetary';
