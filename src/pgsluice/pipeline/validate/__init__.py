"""Which rows break a constraint. PostgreSQL decides, with one query for each constraint."""
