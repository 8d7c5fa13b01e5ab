-- name: one_statement_is_as_good
-- Whether rows of these tables come out the same, and are refused the same, if all are written by one statement, as far
-- as no function of somebody's takes part: no trigger may look for rows that a statement before would have brought, and
-- no key between the tables may change rows that refer to an updated one, which would happen after all rows are in.
SELECT NOT EXISTS (
           SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ANY (%(oids)s::oid[]) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
       )
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint k
            WHERE k.contype = 'f' AND k.conrelid = ANY (%(oids)s::oid[]) AND k.confrelid = ANY (%(oids)s::oid[]) AND k.confupdtype <> 'a'
       );

-- name: namesake
-- Whether a key of another table in the schema that cannot wait has this name, by which SET CONSTRAINTS means both.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_constraint own ON own.conrelid = %(oid)s AND own.conname = %(name)s
     WHERE k.connamespace = own.connamespace AND k.conname = own.conname AND k.oid <> own.oid AND NOT k.condeferrable
);
