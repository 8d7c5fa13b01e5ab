-- name: somebody_notices
-- Whether a table has a trigger or a rule, of whatever event.
SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = %(oid)s AND NOT tgisinternal AND tgenabled <> 'D')
    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = %(oid)s AND ev_enabled <> 'D');
