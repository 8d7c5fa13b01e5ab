-- What pgsluice doctor asks the server; see postgres/facts.py.

-- name: settings
-- Settings as the server, the database and the role have them, in their base units.
SELECT name, reset_val, setting, coalesce(unit, '') AS unit, source
  FROM pg_catalog.pg_settings
 WHERE name IN ('checkpoint_timeout', 'default_transaction_read_only', 'effective_cache_size', 'fsync',
                'full_page_writes', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                'maintenance_work_mem', 'max_wal_senders', 'max_wal_size', 'shared_buffers', 'statement_timeout',
                'synchronous_commit', 'temp_file_limit', 'transaction_timeout', 'wal_level');

-- name: session
-- The role and the database, and what the role may do there.
SELECT pg_catalog.quote_ident(current_user) AS role,
       pg_catalog.quote_ident(pg_catalog.current_database()) AS database,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') AS may_create_temporary,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collation,
       least(CASE WHEN r.rolconnlimit >= 0 THEN r.rolconnlimit END, CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit END,
             pg_catalog.current_setting('max_connections')::integer
             - CASE WHEN r.rolsuper THEN 0
                    ELSE pg_catalog.current_setting('superuser_reserved_connections')::integer END) AS most_sessions,
       (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_stat_activity
         WHERE backend_type = 'client backend') AS sessions,
       EXISTS (SELECT FROM pg_catalog.pg_replication_slots) OR EXISTS (SELECT FROM pg_catalog.pg_stat_replication)
           OR pg_catalog.current_setting('archive_mode') <> 'off' AS needs_wal
  FROM pg_catalog.pg_database AS d, pg_catalog.pg_roles AS r
 WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user;

-- name: foreign_keys
-- For each table with foreign keys: the role, whether it may suspend triggers, and the parents whose rows it may not lock.
SELECT t.oid::bigint, pg_catalog.quote_ident(current_user),
       pg_catalog.current_setting('is_superuser')::boolean
           OR pg_catalog.has_parameter_privilege('session_replication_role', 'SET'),
       ARRAY(SELECT DISTINCT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.relname)
               FROM pg_catalog.pg_constraint AS k
               JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid
               JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
              WHERE k.contype = 'f' AND k.conrelid = t.oid
                AND NOT (pg_catalog.has_table_privilege(p.oid, 'SELECT') AND pg_catalog.has_table_privilege(p.oid,
                    'UPDATE'))
              ORDER BY 1)
  FROM unnest(%(oids)s::oid[]) AS t (oid);

-- name: unindexed_references
-- Foreign keys to these tables from tables above 1 MB in which no index begins with the columns of the key: the parent,
-- the child, its columns.
SELECT k.confrelid::bigint, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.place)
          FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum)
  FROM pg_catalog.pg_constraint AS k
  JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.confrelid = ANY (%(oids)s::oid[]) AND c.relkind = 'r'
   AND pg_catalog.pg_relation_size(c.oid) > 1 << 20
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                    WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
                      AND (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1] @> k.conkey)
 ORDER BY 2, 3;

-- name: data_directory
-- The folder of the server's data; NULL if the role may not know it.
SELECT pg_catalog.current_setting('data_directory')
 WHERE pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE');

-- name: available_extensions
-- Which of these extensions the server has, and whether the role may create each.
SELECT wanted.name, e.name IS NOT NULL AS available, e.installed_version IS NOT NULL AS installed
  FROM unnest(%(names)s::text[]) AS wanted (name)
  LEFT JOIN pg_catalog.pg_available_extensions AS e ON e.name = wanted.name
 ORDER BY 1;
