"""The options of the commands.

The options that say how files are read and rows are written stand once, in
:mod:`~pgsluice.cli.options.reading` and :mod:`~pgsluice.cli.options.writing`.
"""
