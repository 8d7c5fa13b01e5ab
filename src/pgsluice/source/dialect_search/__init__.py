"""The search for the dialect of a file.

Candidates (:mod:`~pgsluice.source.dialect_search.readings`) read the samples of the file
(:mod:`~pgsluice.source.dialect_search.sample`). Each is scored by how evenly it divides the records, by what its cells
look like (:mod:`~pgsluice.source.dialect_search.scoring`), and by what the columns of the target table are
(:mod:`~pgsluice.source.dialect_search.expectations`, :mod:`~pgsluice.source.dialect_search.layout`).
"""
