"""What ``postgresql.conf`` of an embedded server contains in addition to the defaults, and why."""

from __future__ import annotations

import shutil

SETTINGS = """
# ---- pgsluice: settings of an embedded server that is filled in bulk ----

# No replica follows this server. With these two settings, COPY into a table that was created or truncated in the same
# transaction writes the data files only and not the write-ahead log; so do the builds of its indexes.
wal_level = minimal
max_wal_senders = 0

# INSERT from stages does write the log. The default forces a checkpoint after every gigabyte of it.
max_wal_size = 4GB
checkpoint_timeout = 15min

# Parent rows that foreign keys look up stay in memory. The default is 128MB.
shared_buffers = 256MB

# Sorts for index builds, and the joins that validate foreign keys, run in memory rather than in temporary files.
maintenance_work_mem = 256MB

# A text without a time zone gives the same timestamptz on every machine.
timezone = 'UTC'
log_timezone = 'UTC'

# fsync stays on, so that the data survive a crash of the machine.
"""
"""Appended to the ``postgresql.conf`` of every new data folder."""


SMALL_SHM = """
# /dev/shm was small when this folder was made (a container), so parallel workers share memory through files.
dynamic_shared_memory_type = mmap
"""
"""Appended as well if :func:`shm_is_small`."""


def shm_is_small() -> bool:
    """Whether ``/dev/shm`` has less than 1 GB. Docker's default of 64 MB is too little for a parallel CREATE INDEX."""
    try:
        return shutil.disk_usage("/dev/shm").free < 1 << 30
    except OSError:
        return False
