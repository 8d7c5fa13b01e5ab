"""Guests: projects of other programs that run after a run has published.

The rows are published when a guest begins, so nothing here raises an error of its own but Ctrl-C: what goes wrong is in
the result. :mod:`pgsluice.guests.after` says whether a guest runs, :mod:`pgsluice.guests.dbt` starts dbt in a process
of its own, :mod:`pgsluice.guests.dbt_process` is that process.
"""
