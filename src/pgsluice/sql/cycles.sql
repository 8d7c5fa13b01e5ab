-- name: one_statement_is_as_good
-- Whether rows of these tables come out the same, and are refused the same, if all are written by one statement: no
-- trigger and no function of somebody's may look for rows that a statement before would have brought, and no key
-- between the tables may change rows that refer to an updated one, which would happen after all rows are in. Types
-- that may have conditions of their own (domains and what is made of others) are not looked into.
SELECT NOT EXISTS (
           SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ANY (%(oids)s::oid[]) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
       )
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint k
            WHERE k.contype = 'f' AND k.conrelid = ANY (%(oids)s::oid[]) AND k.confrelid = ANY (%(oids)s::oid[]) AND k.confupdtype <> 'a'
       )
   AND NOT EXISTS (
           SELECT FROM (SELECT 'pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint WHERE conrelid = ANY (%(oids)s::oid[])
                        UNION ALL
                        SELECT 'pg_attrdef'::regclass, oid FROM pg_catalog.pg_attrdef WHERE adrelid = ANY (%(oids)s::oid[])
                        UNION ALL
                        SELECT 'pg_class'::regclass, indexrelid FROM pg_catalog.pg_index WHERE indrelid = ANY (%(oids)s::oid[])
                       ) AS part (classid, objid)
             JOIN pg_catalog.pg_depend d USING (classid, objid)
            WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
       )
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_attribute a
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
             LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
            WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
              AND (t.typtype NOT IN ('b', 'e') OR e.typtype NOT IN ('b', 'e'))
       );

-- name: namesake
-- Whether a key of another table in the schema that cannot wait has this name, by which SET CONSTRAINTS means both.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_constraint own ON own.conrelid = %(oid)s AND own.conname = %(name)s
     WHERE k.connamespace = own.connamespace AND k.conname = own.conname AND k.oid <> own.oid AND NOT k.condeferrable
);
