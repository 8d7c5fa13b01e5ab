"""The pollution benchmark: clean tables, the ways to spoil their files, and what programs recover from these files."""
