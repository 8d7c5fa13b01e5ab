"""TODO pgsluice.postgres.embedded.settings."""

from __future__ import annotations

import shutil

SETTINGS = """
# ---- pgsluice: settings of an embedded server that is filled in bulk ----

# Nobody replicates this server. With these two, COPY into a table that was created or truncated in the
# same transaction, and building its indexes, write the data files only, not the log as well.
wal_level = minimal
max_wal_senders = 0

# What does go through the log (staging, INSERT) should not be cut by checkpoints every gigabyte.
max_wal_size = 4GB
checkpoint_timeout = 15min

# Parents that are probed by foreign keys stay in memory; the default of 128MB is for tiny machines.
shared_buffers = 256MB

# Sorts for indexes and hash joins for foreign keys in memory rather than in files.
maintenance_work_mem = 256MB

# The same text gives the same timestamptz on every machine.
timezone = 'UTC'
log_timezone = 'UTC'

# fsync stays on: the data outlive a crash of the machine.
"""


SMALL_SHM = """
# /dev/shm was small when this folder was made (a container): parallel workers share memory through files.
dynamic_shared_memory_type = mmap
"""


def shm_is_small() -> bool:
    """Docker's default of 64 MB is less than what one parallel CREATE INDEX asks for."""
    try:
        return shutil.disk_usage("/dev/shm").free < 1 << 30
    except OSError:
        return False
