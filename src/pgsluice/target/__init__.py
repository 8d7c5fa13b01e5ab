"""The database that a load goes to: somebody's server (``connect``) or the embedded one (``server``)."""
