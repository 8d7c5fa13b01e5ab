"""Servers whose folder or socket is gone are found by their process, told, and stopped."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from command import call
from pgsluice.errors import ServerError
from pgsluice.ledger.advisory_locks import hold_run
from pgsluice.postgres.embedded import server
from pgsluice.postgres.embedded.found import running_servers, servers_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers are found in /proc")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder for the test. The paths of pytest's temporary folders are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as name:
        data_dir = Path(name).resolve() / "data"
        yield data_dir
        server.stop(data_dir)


def test_lost_servers_are_told_and_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = server.start(folder, lasting=False)
    [found] = servers_of(folder)
    assert (found.pid, found.flaw) == (server.status(folder).pid, "")
    listed = call("server", "list", cwd=folder)
    assert any(str(found.pid) in line and str(folder) in line and "running" in line for line in listed.out.splitlines())

    # The socket is gone: the server can be neither used nor started, and the remedy works.
    (folder / "server" / ".s.PGSQL.5432").unlink()
    assert "its socket is gone" in call("server", "status", "--data-dir", folder, cwd=folder).out
    with pytest.raises(ServerError, match="its socket is gone") as caught:
        server.start(folder)
    remedy = caught.value.remedy.removeprefix("Stop it with: pgsluice ").split()
    assert call(*remedy, cwd=Path("/")).out == "Stopped.\n"
    assert servers_of(folder) == []

    # The folder is gone.
    uri = server.start(folder)
    with psycopg.connect(uri) as conn:
        conn.execute("SELECT 1")
    shutil.rmtree(folder)
    [lost] = servers_of(folder)
    assert lost.flaw == "its folder was deleted"
    listed = call("server", "list", cwd=Path("/"))
    assert any(str(lost.pid) in line and "its folder was deleted" in line for line in listed.out.splitlines())
    with pytest.raises(ServerError, match="its folder was deleted"):
        server.start(folder)
    # Only this test's server: the others of this machine are not ours.
    monkeypatch.setattr(server, "running_servers", lambda: servers_of(folder))
    stopped = call("server", "stop", "--all", cwd=Path("/"))
    assert stopped.out == f"Stopped: process {lost.pid} in {folder} (its folder was deleted)\n"
    assert call("server", "stop", "--all", cwd=Path("/")).out == "No embedded server was running.\n"
    assert lost.pid not in {found.pid for found in running_servers()}


def test_remove_asks_refuses_and_deletes(folder: Path) -> None:
    uri = server.start(folder, lasting=False)
    (folder / "own.txt").write_text("")
    remove = ("server", "remove", "--data-dir", folder)
    call(*remove, cwd=folder).complaint(2, "no terminal", "--yes")
    with psycopg.connect(uri, autocommit=True) as conn:
        hold_run(conn, 3)
        call(*remove, "--yes", cwd=folder).complaint(3, "under way", "run 3")
    assert server.status(folder).running
    assert call(*remove, "--yes", cwd=Path("/")).out == f"Removed: {folder}\n"
    assert servers_of(folder) == []
    assert [path.name for path in folder.iterdir()] == ["own.txt"]
    assert call(*remove, "--yes", cwd=Path("/")).out == f"There is no server in {folder}.\n"
