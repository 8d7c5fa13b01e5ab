-- name: has_triggers_or_rules
-- Whether a table has an enabled trigger or rule, for any event.
SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = %(oid)s AND NOT tgisinternal AND tgenabled <> 'D')
    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = %(oid)s AND ev_enabled <> 'D');

-- name: runs_user_functions
-- Tables for which writing rows runs functions or operators that are not PostgreSQL's own, in a CHECK, a default, a
-- generated column or an index. pg_depend has no rows for PostgreSQL's own functions. A column whose type is neither a
-- base type nor an enum counts as such a function, because the query does not examine the constraints of domains.
SELECT part.relation::bigint
  FROM (SELECT 'pg_constraint'::regclass, oid, conrelid FROM pg_catalog.pg_constraint
         WHERE conrelid = ANY (%(oids)s::oid[])
        UNION ALL
        SELECT 'pg_attrdef'::regclass, oid, adrelid FROM pg_catalog.pg_attrdef
         WHERE adrelid = ANY (%(oids)s::oid[])
        UNION ALL
        SELECT 'pg_class'::regclass, indexrelid, indrelid FROM pg_catalog.pg_index
         WHERE indrelid = ANY (%(oids)s::oid[])
       ) AS part (classid, objid, relation)
  JOIN pg_catalog.pg_depend d ON d.classid = part.classid AND d.objid = part.objid
 WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
UNION
SELECT a.attrelid::bigint
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
 WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
   AND (t.typtype NOT IN ('b', 'e') OR e.typtype NOT IN ('b', 'e'));

-- name: pages
-- The present size of a table with its partitions in pages; 0 if there is no such table. Names are looked up in the
-- catalog, because regclass needs a privilege on the schema.
SELECT coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(x.part)), 0)::bigint / pg_catalog.current_setting('block_size')::bigint
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT c.oid::regclass UNION SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)) AS x (part)
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: will_be_analyzed
-- Whether autovacuum is going to collect the statistics of a table that a load has filled, and its statistics do not
-- rest on several columns or on expressions. A table may have settings of its own for autovacuum.
SELECT pg_catalog.current_setting('autovacuum')::boolean
       AND pg_catalog.current_setting('track_counts')::boolean
       AND pg_catalog.current_setting('autovacuum_analyze_scale_factor')::double precision < 1
       AND NOT EXISTS (SELECT FROM pg_catalog.unnest(c.reloptions) AS o (option)
                        WHERE o.option LIKE 'autovacuum_enabled=%%' OR o.option LIKE 'autovacuum_analyze_%%')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext AS e WHERE e.stxrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indexprs IS NOT NULL)
  FROM pg_catalog.pg_class AS c
 WHERE c.oid = %(oid)s;

-- name: lower_statistics_target
-- Divides the statistics target of columns that have none of their own, until the end of the transaction. A target below
-- 10 gives no useful histogram, but one that the user has set stays.
SELECT pg_catalog.set_config('default_statistics_target',
                             least(s.target, greatest(10, s.target / %(divisor)s))::text, true)
  FROM (SELECT pg_catalog.current_setting('default_statistics_target')::integer) AS s (target);
