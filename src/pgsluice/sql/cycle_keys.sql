-- name: one_statement_suffices
-- Whether rows of these tables come out the same, and are refused the same, if one statement writes all of them, as far as
-- no user-defined function runs: no trigger may look for rows that an earlier statement would have written, and no key
-- between the tables may change rows that reference an updated row, because that would happen after all rows are in.
SELECT NOT EXISTS (
           SELECT FROM pg_catalog.pg_trigger g
            WHERE g.tgrelid = ANY (%(oids)s::oid[]) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
       )
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint k
            WHERE k.contype = 'f' AND k.conrelid = ANY (%(oids)s::oid[]) AND k.confrelid = ANY (%(oids)s::oid[])
              AND k.confupdtype <> 'a'
       );

-- name: name_is_shared
-- Whether a key of another table in the schema that cannot be deferred has this name. SET CONSTRAINTS would cover both.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_constraint own ON own.conrelid = %(oid)s AND own.conname = %(name)s
     WHERE k.connamespace = own.connamespace AND k.conname = own.conname AND k.oid <> own.oid AND NOT k.condeferrable
);
