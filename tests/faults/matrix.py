"""The fault matrix: every kind of fault, in every phase, in every mode, at random moments.

    python tests/faults/matrix.py [--cases N] [--seed N]

Each case is a load by the real command in a process of its own, on a server of this matrix' own, and one
fault. Afterwards the tables are wholly as before or wholly as after an undisturbed load, keys and indexes
included; ledger and exit code say which; and the next load ends with the right rows, closes the books of
the broken one, and leaves no object of pgsluice behind.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from proxy import PHASES, Proxy, Trap

import command
from pgsluice.postgres.embedded import server as embedded

FAULTS = ("kill", "terminate", "restart", "full", "cut", "interrupt")
MODES = {
    "append to empty": (),
    "append": (),
    "upsert": ("--mode", "upsert", "--mode", "log=append"),
    "insert-missing": ("--mode", "insert-missing", "--mode", "log=append"),
    "replace": ("--mode", "replace"),
    "synchronise": ("--mode", "upsert", "--mode", "log=append", "--delete-missing"),
}
TMPFS = "600m"
PATIENCE = 90.0
"""Seconds after which a command hangs: longer than pgsluice tries again by itself."""

SCHEMA = """
CREATE TABLE customers (
    id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age >= 18), note text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL CHECK (amount >= 0),
    at timestamptz);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (at);
CREATE TABLE log (what text, n int);
"""
ROWS = """
INSERT INTO customers SELECT n, 'c' || n || '@x', 20 + n % 50, 'old' FROM generate_series(1, 600) AS n;
INSERT INTO orders SELECT n, 1 + n % 600, n % 97, '2024-01-01'::timestamptz + n * interval '1 min'
  FROM generate_series(1, 3000) AS n;
INSERT INTO log SELECT 'w' || n % 7, n FROM generate_series(1, 500) AS n;
ANALYZE;
"""
# Whatever a load may not change unless it publishes, and what it may not change at all.
CONTENT = "SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')), count(*) FROM {} AS t"
SHAPE = """
SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || condeferrable
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index AS i JOIN pg_class AS c
  ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace
ORDER BY 1
"""
# Temporary schemas of sessions that crashed may stay for a while, but with nothing in them.
LEFT = """
SELECT relnamespace::regnamespace || '.' || relname FROM pg_class
 WHERE relname LIKE 'pgsluice%' AND relnamespace::regnamespace::text NOT IN ('pgsluice', 'pg_toast')
UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'pgsluice%'
UNION ALL SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgsluice_%'
"""

State = tuple[object, ...]


def _write(folder: Path, customers: range, orders: range, owners: range) -> None:
    """Files with some rows of each kind of fault, so that the judge has work; the same at every call."""
    folder.mkdir()
    dice = random.Random(7)
    with (folder / "customers.csv").open("w") as out:
        out.write("id,email,age,note\n")
        for n in customers:
            age: object = 20 + n % 50
            if n % 211 == 0 and n > 600:
                age = 5
            elif n % 223 == 0 and n > 600:
                age = "many"
            note = "old" if n % 2 else "new, and longer"
            out.write(f'{n},c{n}@x,{age},"{note}"\n')
        out.write(f"{customers[-1]},twice@x,30,old\n")
    with (folder / "orders.csv").open("w") as out:
        out.write("id,customer_id,amount,at\n")
        for n in orders:
            # Rows that the table has are good ones: refused, they would hold on to customers that are to go.
            known = n <= 3000
            owner = dice.choice(range(301, 601) if known else owners) if known or n % 401 else 999_999
            amount = n % 97 if known or n % 367 else -1
            out.write(f"{n},{owner},{amount},2024-02-0{n % 9 + 1} 10:00:00\n")
    with (folder / "log.csv").open("w") as out:
        out.write("what,n\n")
        out.writelines(f"v{n % 5},{n if n % 701 else 'x'}\n" for n in range(2000))


@dataclass(frozen=True)
class Case:
    """One cell of the matrix and the random moment in it."""

    fault: str
    phase: str
    mode: str
    seed: int


class Matrix:
    """The server, the databases as they are before and after a load of each mode, and the cases' verdicts."""

    def __init__(self, folder: Path, *, full: bool) -> None:
        """:param full: the folder is a small disk of its own, which may be filled to the brim."""
        self._folder = folder
        self.faults = tuple(f for f in FAULTS if f != "full" or full)
        self._server = folder / "s"
        self._uri = embedded.start(self._server)
        self._socket = conninfo_to_dict(self._uri)["host"]
        self._proxy = Proxy(f"{self._socket}/.s.PGSQL.5432")
        self._before: dict[str, State] = {}
        self._after: dict[str, State] = {}
        self._shape: list[tuple[object, ...]] = []
        self._passes: dict[str, dict[str, int]] = {}
        self._lasts: dict[str, float] = {}
        _write(folder / "new", range(601, 1500), range(3001, 9000), range(1, 1500))
        _write(folder / "mixed", range(301, 1500), range(1501, 9000), range(301, 1500))
        _write(folder / "all", range(1, 1500), range(1, 9000), range(1, 1500))
        with self._admin() as admin:
            for rows in (False, True):
                name = f"template_{rows}".lower()
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                with psycopg.connect(self._address(name), autocommit=True) as conn:
                    conn.execute(SCHEMA)
                    if rows:
                        conn.execute(ROWS)
                    self._shape = conn.execute(SHAPE).fetchall()

    def close(self) -> None:
        self._proxy.close()
        embedded.stop(self._server)

    # ------------------------------------------------------------------- pieces

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._uri, autocommit=True)

    def _address(self, database: str) -> str:
        return f"host={self._socket} port=5432 user=postgres dbname={database}"

    def _fresh(self, mode: str) -> str:
        template = "template_false" if mode == "append to empty" else "template_true"
        with self._admin() as admin:
            admin.execute("DROP DATABASE IF EXISTS t WITH (FORCE)")
            admin.execute(sql.SQL("CREATE DATABASE t TEMPLATE {}").format(sql.Identifier(template)))
        return self._address("t")

    def _start(self, mode: str) -> subprocess.Popen[str]:
        files = {"append to empty": "all", "append": "new"}.get(mode, "mixed")
        url = f"postgresql://postgres@127.0.0.1:{self._proxy.port}/t?sslmode=disable&gssencmode=disable"
        arguments = ("load", self._folder / files, *MODES[mode], "--max-rejects", "all")
        return command.start(*arguments, cwd=self._folder, url=url)

    def _state(self, conn: psycopg.Connection[tuple[object, ...]]) -> State:
        return tuple(
            conn.execute(sql.SQL(CONTENT).format(sql.Identifier(t))).fetchone() for t in ("customers", "orders", "log")
        )

    def learn(self, mode: str) -> None:
        """An undisturbed load: what comes out of it, and how many statements of each phase it has."""
        if mode in self._after:
            return
        address = self._fresh(mode)
        with psycopg.connect(address, autocommit=True) as conn:
            self._before[mode] = self._state(conn)
            self._proxy.reset(None)
            began = time.monotonic()
            ended = command.end(self._start(mode))
            assert ended.code == 0, ended
            self._lasts[mode] = time.monotonic() - began
            self._passes[mode] = dict(self._proxy.seen)
            self._after[mode] = self._state(conn)
            assert conn.execute(SHAPE).fetchall() == self._shape
        assert self._before[mode] != self._after[mode]
        assert self._passes[mode].get("commit") == 1, self._passes

    # ------------------------------------------------------------------- faults

    def _fault(self, case: Case, dice: random.Random, client: subprocess.Popen[str]) -> None:
        if case.fault == "kill":
            client.kill()
        elif case.fault == "interrupt":
            client.send_signal(signal.SIGINT)
        elif case.fault == "terminate":
            which = dice.choice(("true", "l.loads", "NOT l.loads"))
            with self._admin() as admin, contextlib.suppress(psycopg.Error):
                # Who holds table locks is the connection that loads.
                admin.execute(
                    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a, LATERAL (SELECT EXISTS ("
                    " SELECT FROM pg_locks AS k WHERE k.pid = a.pid AND k.locktype = 'advisory'"
                    " AND k.classid = 7564404) AS loads) AS l"
                    f" WHERE a.datname = 't' AND a.application_name LIKE 'pgsluice%' AND {which}"  # type: ignore[arg-type]
                )
        elif case.fault == "restart":
            self._stop_at_once()
            embedded.start(self._server)
        elif case.fault == "cut":
            self._proxy.cut(reset=dice.random() < 0.5)
        elif case.fault == "full":
            with (self._folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(1 << 20))
            if (room := dice.choice((0, 0, 1 << 14, 1 << 18))) > 0:
                os.truncate(self._folder / "filler", max(0, (self._folder / "filler").stat().st_size - room))

    def _stop_at_once(self) -> None:
        pgdata = self._server / "server"
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        # What pg_ctl stop -m immediate sends.
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(lines[0]), signal.SIGQUIT)
        deadline = time.monotonic() + 20
        while embedded.status(self._server).running:
            assert time.monotonic() < deadline, "the server does not stop"
            time.sleep(0.01)

    def _room(self) -> None:
        """Room on the disk again, and a server that runs, whatever happened to it."""
        (self._folder / "filler").unlink(missing_ok=True)
        deadline = time.monotonic() + 30
        while True:
            try:
                embedded.start(self._server)
                with self._admin() as admin:
                    admin.execute("SELECT 1")
                return
            except Exception:
                # After a panic the server comes back by itself, or is gone a moment later.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    # ------------------------------------------------------------------- one case

    def run(self, case: Case) -> tuple[str, list[str]]:
        """Runs the case: how it ended in a few words, and everything that is wrong about that."""
        self.learn(case.mode)
        dice = random.Random(case.seed)
        address = self._fresh(case.mode)
        passes = self._passes[case.mode].get(case.phase, 0)
        client: list[subprocess.Popen[str]] = []
        trap = Trap(
            case.phase,
            dice.randint(1, max(passes, 1)),
            dice.choice(("hold", "flow", "swallow")),
            dice.choice((0.0, 0.0, 0.002, dice.uniform(0, 0.05))),
            lambda: self._fault(case, dice, client[0]),
        )
        self._proxy.reset(trap if passes else None)
        client.append(self._start(case.mode))
        if not passes:
            # The mode has no such phase; any moment instead.
            threading.Timer(dice.uniform(0.2, self._lasts[case.mode]), trap.spring).start()
        if case.fault == "full":
            threading.Thread(target=self._make_room_later, args=(trap, client[0]), daemon=True).start()
        try:
            out, err = client[0].communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            client[0].kill()
            client[0].communicate()
            self._room()
            return "hangs", [f"no end after {PATIENCE} s"]
        code = client[0].returncode
        self._proxy.reset(None)
        if trap.sprung.is_set():
            trap.done.wait(PATIENCE)
        elif not passes:
            trap.done.wait(2)
        self._room()
        wrong = self._verdict(case, address, code, out, err)
        if not trap.sprung.is_set():
            return "no fault", wrong
        if wrong:
            wrong += [f"{trap.how}, {trap.delay:.3f} s, at {case.phase} number {trap.occurrence}", err]
        return f"exit {code}", wrong

    def _make_room_later(self, trap: Trap, client: subprocess.Popen[str]) -> None:
        """A full disk may go on being full until the client gives up, but not for ever."""
        trap.done.wait(PATIENCE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(4)
        self._room()

    def _verdict(self, case: Case, address: str, code: int, out: str, err: str) -> list[str]:
        wrong: list[str] = []
        with psycopg.connect(address, autocommit=True) as conn:
            self._wait_for_quiet(conn, wrong)
            state = self._state(conn)
            published = state == self._after[case.mode]
            if not published and state != self._before[case.mode]:
                wrong.append(f"neither before nor after: {state}, {self._before[case.mode]}, {self._after[case.mode]}")
            self._shape_of(conn, "after the fault", wrong)
            said = _statuses(conn)
            if ("published" in said) != published:
                wrong.append(f"the ledger says {said}, published is {published}")
            wrong += _code_wrong(case, code, published, out, err)

            again = command.end(self._start(case.mode))
            if again.code != 0:
                wrong.append(f"the next run ended with {again.code}: {again.err}")
            if self._state(conn) != self._after[case.mode]:
                wrong.append("the next run did not end with the right rows")
            self._shape_of(conn, "after the next run", wrong)
            said = _statuses(conn)
            if "running" in said:
                wrong.append(f"still running: {said}")
            if said.count("published") != 1 and case.mode.startswith("append"):
                wrong.append(f"published not once: {said}")
            if left := conn.execute(LEFT).fetchall():
                wrong.append(f"left behind: {left}")
        return wrong

    def _wait_for_quiet(self, conn: psycopg.Connection[tuple[object, ...]], wrong: list[str]) -> None:
        """Until the broken run's sessions are gone: the server may yet be at work for one of them."""
        deadline = time.monotonic() + 20
        while conn.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = 't' AND application_name LIKE 'pgsluice%'"
        ).fetchall():
            if time.monotonic() > deadline:
                wrong.append("a session of the broken run does not end")
                return
            time.sleep(0.02)

    def _shape_of(self, conn: psycopg.Connection[tuple[object, ...]], when: str, wrong: list[str]) -> None:
        if (found := conn.execute(SHAPE).fetchall()) != self._shape:
            wrong.append(f"keys or indexes differ {when}: {set(found) ^ set(self._shape)}")


def _statuses(conn: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    if conn.execute("SELECT to_regclass('pgsluice.run')").fetchone() == (None,):
        return []
    return [str(s) for (s,) in conn.execute("SELECT status FROM pgsluice.run ORDER BY 1")]


def _code_wrong(case: Case, code: int, published: bool, out: str, err: str) -> list[str]:
    """What the exit code and the words say must be what happened."""
    if case.fault == "kill" and code == -signal.SIGKILL:
        return []
    if case.fault == "interrupt" and code == 130:
        denied = "nothing was published" in err
        return ["it says that nothing was published"] if denied and published else []
    if case.fault == "interrupt" and code == -signal.SIGINT:
        # Python itself ends on the signal before the command has begun and after it has told its summary.
        return ["ended by the signal without a word of what it published"] if published and not out else []
    if "Traceback" in err:
        return [f"a traceback, exit {code}"]
    if code == 0:
        return [] if published else ["exit code 0, but nothing was published"]
    if published:
        return [f"exit code {code}, but the rows are published"]
    return [] if code in (2, 3) else [f"exit code {code}"]


# --------------------------------------------------------------------------- all cases


def cases(seed: int, number: int, faults: tuple[str, ...]) -> Iterator[Case]:
    """As many cells as wanted: first each one of the matrix, in random order, then again with other moments."""
    dice = random.Random(seed)
    made = 0
    while True:
        cells = list(itertools.product(faults, PHASES, MODES))
        dice.shuffle(cells)
        for fault, phase, mode in cells:
            if made == number:
                return
            made += 1
            yield Case(fault, phase, mode, dice.randrange(1 << 32))


@contextlib.contextmanager
def matrix() -> Iterator[Matrix]:
    """A matrix on a small disk of its own, or, where none can be mounted, on the usual one."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    folder.chmod(0o711)
    mounted = False
    # A shell starts jobs in the background with SIGINT ignored, and so would be every command started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.geteuid() == 0 and shutil.which("mount"):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS},mode=0711", "pgsluice-faults", str(folder)]
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        made = Matrix(folder, full=mounted)
        try:
            yield made
        finally:
            made.close()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=len(FAULTS) * len(PHASES) * len(MODES))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--only", default="", help="cells whose words contain this")
    given = parser.parse_args()
    # However it ends, the server is to be stopped and the disk taken off.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    print(f"seed {given.seed}", flush=True)
    bad = done = 0
    ends: dict[tuple[str, str], int] = {}
    began = time.monotonic()
    with matrix() as made:
        if "full" not in made.faults:
            print("no small disk can be mounted here: nothing is said about a full disk")
        for case in cases(given.seed, given.cases, made.faults):
            if given.only not in f"{case.fault} {case.phase} {case.mode}":
                continue
            end, wrong = made.run(case)
            done += 1
            ends[case.fault, end] = ends.get((case.fault, end), 0) + 1
            if wrong:
                bad += 1
                print(f"WRONG {case}: {end}", *wrong, sep="\n    ", flush=True)
            elif done % 20 == 0:
                print(f"{done} cases, {bad} wrong, {time.monotonic() - began:.0f} s", flush=True)
    for (fault, end), count in sorted(ends.items()):
        print(f"{fault:10} {end:10} {count:4}")
    print(f"{done} cases, {bad} wrong, {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
