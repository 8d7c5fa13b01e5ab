"""Files as a source of rows: discovery, dialects, records, blocks and typed columns.

The package reads files and knows the types of the target columns. It opens no connection to PostgreSQL.

* ``discover``, ``dialect``, ``streams``: which files a path names, how they are written, their bytes as UTF-8.
* ``identity``: whether a file is still the file that was planned.
* ``records``: the rules that say where records begin and end.
* ``blocks``: a file as a sequence of blocks; ``locate`` finds records of a block again for the report.
* ``typed``: a block as columns whose values PostgreSQL stores unchanged.
* ``corrections``: the corrected rejects of a replay, as blocks.

The modules import numpy, pyarrow and DuckDB inside functions: these imports take longer than a short command of the
command line, and most commands need none of them.
"""
