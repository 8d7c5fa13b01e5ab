"""Runs one program and says what it cost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def server_seconds(postmaster: int | None) -> float | None:
    """User and system time of a server on this machine so far: of all its processes, also of those that ended.

    :param postmaster: its first process; None: the server is elsewhere.
    """
    if postmaster is None or not Path("/proc/self/stat").exists():
        return None
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # Behind the name in parentheses: state, parent, ...; 11 to 14 are utime, stime, cutime, cstime.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(stat.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Of the whole process, interpreter start included, and of all processes that it waited for.

    ``cpu`` are the client's seconds in user and system mode; the server's are not in it. ``peak_mb`` is at
    least the size of this process (about 40 MB), from which Linux takes a new one's first reading.
    """

    wall: float
    cpu: float
    peak_mb: float
    code: int
    output: str
    load: float
    """The machine's load average over a minute, before the run: well above 0 means that others worked, too."""


def run(command: Sequence[str], folder: Path, *, env: Mapping[str, str], limit: float) -> Cost:
    """Runs ``command`` in ``folder``, for ``limit`` seconds at most (code -9 then)."""
    load = os.getloadavg()[0]
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        started = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=env,
            start_new_session=True,
        )
        code, usage = _wait(child.pid, started + limit)
        wall = time.perf_counter() - started
    child.returncode = code  # waited for here, and not by Popen
    text = out.read_text(errors="replace") if code == 0 else err.read_text(errors="replace")[-20000:]
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, code, text, load)


def _wait(pid: int, deadline: float):  # type: ignore[no-untyped-def]
    """wait4 with a deadline. An alarm interrupts it, so that nothing polls while the time is taken."""

    def too_late(*_: object) -> None:
        os.killpg(pid, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, deadline - time.perf_counter()))
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return os.waitstatus_to_exitcode(status), usage
