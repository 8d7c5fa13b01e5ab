r"""Records of a file whose dialect is not plain: other delimiters, no quotes, escapes, comments, COPY's text format.

The rules are those of :mod:`pgsluice.source.records.rules`, with these additions:

* With a delimiter of several characters the leftmost match counts: ``a|||b`` with ``||`` has the fields ``a``, ``|b``.
* ``blanks``: a run of blanks and tabs is one delimiter. Such runs at the beginning and the end of a line open no field.
* Without a quote, quotes are data.
* An escape in an unquoted field makes a following character of the delimiter, quote, escape, first character of
  ``comment`` or line end data, and is left out. In a quoted field it does so for quote, escape and line end. In front
  of any other character the escape is data: ``\n`` and ``\N`` keep their backslash, as COPY's ESCAPE does it. A
  doubled quote in a quoted field is a quote also with an escape, as MySQL and Python read it.
* A field from which an escape was left out is not NULL, as if it was quoted.
* In the text format the escapes are those of COPY: ``\b \f \n \r \t \v``, octal and hexadecimal bytes; any other
  character stands for itself. ``\.`` is a fault, except at the end of the file, where it is no record.
* A line that begins with ``comment`` where a record could begin is no record.
* ``trailing_delimiters``: so many fields at the end of a record are left out, if all are empty and unquoted.
* ``skip_initial_blanks``: blanks and tabs in front of a field and behind a closing quote are left out.
* With either of the last two kinds of blanks, a line of blanks alone is blank.

``scanner`` finds the records one by one, ``grammar`` holds the patterns of a dialect, ``values`` removes escapes,
``rewriting`` writes records in the plain dialect of blocks, ``translation`` does so for a whole buffer at once where
that is possible.
"""
