"""A proxy between the client and the server that knows what the client is about to do.

It listens on 127.0.0.1, passes every byte on to the server's Unix socket, and reads the client's part:
psycopg sends its statements in clear. So a fault can be let loose at a statement of a chosen phase, before
the server has it, while it runs, or after the server has answered and before the client knows.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

PHASES = ("plan", "copy", "judge", "build", "publish", "ledger", "commit")

# In this order; the first that matches says what a piece of the client's stream belongs to.
_PHASE_OF = (
    ("ledger", re.compile(rb"pgsluice\.(run|file|reject)\b")),
    ("copy", re.compile(rb"FROM STDIN")),
    ("build", re.compile(rb"CREATE (UNIQUE )?INDEX|ADD CONSTRAINT|DROP CONSTRAINT|DROP INDEX|ALTER TABLE")),
    ("judge", re.compile(rb"pgsluice_(reject|doubt|gone)")),
    ("publish", re.compile(rb"INSERT INTO|UPDATE |DELETE FROM|ANALYZE|setval")),
    ("plan", re.compile(rb"pg_catalog|pg_class|pg_constraint|pg_index|advisory")),
)
_COMMIT = re.compile(rb"\bCOMMIT\0")


@dataclass
class Trap:
    """When to let a fault loose, and how far the statement that gives the sign has come by then."""

    phase: str
    occurrence: int
    how: str
    """hold: the server never sees the statement before the fault. flow: all goes on, the fault comes
    ``delay`` seconds later. swallow: the server gets it, but what it answers is kept from the client."""
    delay: float
    fault: Callable[[], None]
    sprung: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def spring(self) -> None:
        self.sprung.set()
        try:
            self.fault()
        finally:
            self.done.set()


class _Link:
    """One connection of the client and what belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.copied = False
        self.answers = threading.Event()
        self.answers.set()

    def cut(self, *, reset: bool) -> None:
        """Both ends are gone: with a reset, or with an orderly end in the middle of everything."""
        self.answers.set()
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Counts the phases that pass by; springs one trap."""

    def __init__(self, upstream: str) -> None:
        """:param upstream: path of the server's Unix socket."""
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self.seen: dict[str, int] = {}
        self.trap: Trap | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self, trap: Trap | None) -> None:
        """Begins anew: counts at zero, this trap set."""
        with self._lock:
            self.seen = {}
            self.trap = trap

    def close(self) -> None:
        self._listener.close()
        self.cut(reset=True)

    def cut(self, *, reset: bool) -> None:
        """Cuts every connection; new ones are taken."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.cut(reset=reset)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._upstream)
            except OSError:
                client.close()
                continue
            link = _Link(client, server)
            with self._lock:
                self._links.append(link)
            threading.Thread(target=self._upward, args=(link,), daemon=True).start()
            threading.Thread(target=self._downward, args=(link,), daemon=True).start()

    def _upward(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.client.recv(1 << 16):
                if (trap := self._sign(link, data)) is None:
                    link.server.sendall(data)
                    continue
                if trap.how == "hold":
                    trap.done.wait(trap.delay) if trap.delay else None
                    trap.spring()
                    link.server.sendall(data)
                    continue
                if trap.how == "swallow":
                    link.answers.clear()
                link.server.sendall(data)

                def later(trap: Trap = trap) -> None:
                    trap.done.wait(trap.delay)
                    trap.spring()
                    link.answers.set()

                threading.Thread(target=later, daemon=True).start()
        self._ended(link)

    def _downward(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.server.recv(1 << 16):
                link.answers.wait()
                link.client.sendall(data)
        self._ended(link)

    def _ended(self, link: _Link) -> None:
        with self._lock:
            if link in self._links:
                self._links.remove(link)
        link.cut(reset=False)

    def _sign(self, link: _Link, data: bytes) -> Trap | None:
        """Counts the piece; the trap if this is what it waits for."""
        if link.copied and _COMMIT.search(data):
            phase = "commit"
        else:
            phase = next((name for name, pattern in _PHASE_OF if pattern.search(data)), "")
        if phase == "copy":
            link.copied = True
        if not phase:
            return None
        with self._lock:
            self.seen[phase] = self.seen.get(phase, 0) + 1
            trap = self.trap
            if trap is None or trap.phase != phase or trap.occurrence != self.seen[phase]:
                return None
            self.trap = None
            return trap
