"""All that knows PostgreSQL and nothing of a run: connections, catalog, DDL, COPY, errors, schema files.

The modules take connections and values of :mod:`pgsluice.model`. None of them imports :mod:`pgsluice.pipeline`.
"""
