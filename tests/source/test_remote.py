"""Remote files against real servers: HTTP with and without ranges, with connections that break, S3 and SFTP."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import re
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from pgsluice.errors import FileError
from pgsluice.model import DialectOptions, SourceFile
from pgsluice.source import table_dialect
from pgsluice.source.blocks import BlockReader
from pgsluice.source.discover import Discovery, discover
from pgsluice.source.places import remote
from pgsluice.source.places.addresses import shown_address, without_secrets
from pgsluice.source.streams import hash_of

ROWS = 200_000
TEXT = ("id,name\n" + "".join(f"{i},name {i}\n" for i in range(ROWS))).encode()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, with ranges and ETags. ``drops`` connections end after half of what was asked for."""

    drops = 0
    ranges = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            super().do_HEAD() if self.command == "HEAD" else super().do_GET()
            return
        data = path.read_bytes()
        start, end = 0, len(data)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and type(self).ranges:
            start, end = int(asked[1]), min(len(data), int(asked[2] or len(data)) + 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        if type(self).ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "HEAD":
            return
        if type(self).drops > 0 and end - start > 100_000:
            type(self).drops -= 1
            self.wfile.write(data[start : start + (end - start) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(data[start:end])

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remote, "_PAUSES", (0.01, 0.01, 0.01))
    Handler.drops, Handler.ranges = 0, True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def found(*paths: str, **options: Any) -> Discovery:
    return discover(paths, DialectOptions(), **options)


def count(file: SourceFile) -> int:
    reader = BlockReader(file, file.header)
    try:
        return sum(block.count for block in reader)
    finally:
        reader.close()


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("drops", [0, 2])
def test_http(web: str, tmp_path: Path, ranges: bool, drops: int) -> None:
    (tmp_path / "t.csv").write_bytes(TEXT)
    Handler.ranges = ranges
    (file,) = found(f"{web}/t.csv").files
    Handler.drops = drops
    assert count(file) == ROWS
    assert Handler.drops == 0
    assert file.bytes == len(TEXT)


FRAMED = (
    "Names of 2025\nid;name;year\n"
    + "".join(f"{i};name, {i};{1990 + i % 30}\n" for i in range(80_000))
    + "\n80000 rows\n"
).encode()


def described(address: str) -> tuple[SourceFile, list[str]]:
    """The file with the dialect that its whole sample shows, and what its passed-over lines are."""
    (file,) = found(address).files
    file = table_dialect.resolve(file, DialectOptions(), None)
    return file, [line.what for line in file.findings.passed_over]


@pytest.mark.parametrize("ranges", [True, False])
def test_http_samples_have_the_end(web: str, tmp_path: Path, ranges: bool) -> None:
    (tmp_path / "t.csv").write_bytes(FRAMED)
    Handler.ranges, Handler.drops = ranges, 1
    file, passed = described(f"{web}/t.csv")
    assert Handler.drops == 0
    assert (file.dialect.delimiter, file.header, passed) == (";", ("id", "name", "year"), ["title", "footer"])
    assert count(file) == 80_000


def test_http_samples_are_bounded(web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_dialect, "_REMOTE_BYTES", 1 << 20)
    (tmp_path / "t.csv").write_bytes(FRAMED)
    file, passed = described(f"{web}/t.csv")
    assert passed == ["title"]
    assert "only the first 1 MiB were looked at" in file.findings.evidence
    # The line of the footer, which nobody has seen, is a fault and no row.
    reader = BlockReader(file, file.header)
    assert sum(len(block.faults) for block in reader) == 1


def test_http_that_breaks_again_and_again(web: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TEXT)
    (file,) = found(f"{web}/t.csv").files
    Handler.drops = 1_000_000
    Handler.ranges = False
    with pytest.raises(FileError, match=r"t.csv: (?:cannot be|the file)") as caught:
        count(file)
    assert caught.value.remedy


def test_http_file_that_changes(web: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TEXT)
    (file,) = found(f"{web}/t.csv").files
    (tmp_path / "t.csv").write_bytes(TEXT.replace(b"name 7", b"NAME 7"))
    with pytest.raises(FileError, match=r"has changed since it was planned .its ETag was"):
        count(file)


def test_http_names_and_errors(web: str, tmp_path: Path) -> None:
    (tmp_path / "t_1.csv").write_bytes(b"id\n1\n")
    files = found(f"{web}/t_1.csv?token=s3cret", f"{web}/t_1.csv?token=other").files
    assert [(f.path, f.stems) for f in files] == [
        (f"{web}/t_1.csv", ("t_1", "t")),
        (f"{web}/t_1.csv (2)", ("t_1", "t")),
    ]
    assert [count(f) for f in files] == [1, 1]
    assert "s3cret" not in repr(files)
    for address, words in {
        f"{web}/none.csv?sig=s3cret": "no such file",
        "http://127.0.0.1:1/t.csv?sig=s3cret": "cannot be",
        "http://user:s3cret@127.0.0.1:1/t.csv": "cannot be",
    }.items():
        with pytest.raises(FileError, match=words) as caught:
            found(address)
        assert "s3cret" not in str(caught.value)


def test_http_folder_and_archive(web: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_bytes(b"id\n1\n")
    (tmp_path / "data" / "b.md").write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", TEXT)
    discovery = found(f"{web}/data/", f"{web}/all.zip")
    assert [f.path for f in discovery.files] == [f"{web}/data/a.csv", f"{web}/all.zip!a.csv"]
    assert [count(f) for f in discovery.files] == [1, ROWS]


def test_addresses_without_secrets() -> None:
    for address, shown in {
        "s3://bucket/a?b.csv": "s3://bucket/a?b.csv",
        "https://u:p@h:1/a/b.csv?x=1#f": "https://h:1/a/b.csv",
        "sftp://u:p@h/a.csv": "sftp://h/a.csv",
        "sftp://u:p/w@h/a.csv": "sftp://h/a.csv",
        "abfs://box@account.dfs.core.windows.net/a.csv?sig=1": "abfs://box@account.dfs.core.windows.net/a.csv",
        "data/a@b?.csv": "data/a@b?.csv",
        "HTTPS://h/a.csv?s": "https://h/a.csv",
    }.items():
        assert shown_address(address) == shown
    text = "Cannot connect to https://h/a?sig=ab%2Bc&x=1 as joe with pass word: 403, url='https://joe:pw9@h/a?sig=ab+c'"
    assert "pw9" not in without_secrets(text, "https://joe:pw9@h/a?sig=ab%2Bc&x=1")
    assert "ab" not in re.findall(r"\?(\S*)", without_secrets(text, "https://joe:pw9@h/a?sig=ab%2Bc&x=1"))[0]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], object]]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield lambda name, data: client.put_object(Bucket="bucket", Key=name, Body=data)
    server.stop()
    fsspec.filesystem("s3").clear_instance_cache()


def test_s3(bucket: Callable[[str, bytes], object]) -> None:
    bucket("data/a_1.csv", TEXT)
    bucket("data/a_2.csv", b"id,name\n1,x\n")
    bucket("data/notes.md", b"x")
    bucket("data/2024/a_3.csv", b"id,name\n1,x\n")
    assert [f.path for f in found("s3://bucket/data").files] == ["s3://bucket/data/a_1.csv", "s3://bucket/data/a_2.csv"]
    assert len(found("s3://bucket/data", recursive=True).files) == 3
    assert len(found("s3://bucket/data/*/a*.csv").files) == 1
    (file,) = found("s3://bucket/data/a_1.csv").files
    assert count(file) == ROWS
    assert hash_of(file)
    bucket("data/a_1.csv", TEXT.replace(b"name 7", b"NAME 7"))
    with pytest.raises(FileError, match="has changed since it was planned"):
        count(file)
    for path, words in {
        "s3://bucket/none.csv": "no such file",
        "s3://bucket/none*.csv": "no file matches",
        "s3://nobucket/a.csv": "s3://nobucket/a.csv",
    }.items():
        with pytest.raises(FileError, match=words):
            found(path)


def test_s3_samples_have_the_end(bucket: Callable[[str, bytes], object]) -> None:
    bucket("t.csv", FRAMED)
    file, passed = described("s3://bucket/t.csv")
    assert (file.dialect.delimiter, file.header, passed) == (";", ("id", "name", "year"), ["title", "footer"])
    assert count(file) == 80_000


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an SFTP server for a folder; its key is in ~/.ssh/known_hosts."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("joe", "s3cret")

    root = tmp_path / "served"
    root.mkdir()
    (root / "a.csv").write_bytes(TEXT)

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[key],
            server_factory=Server,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root)),
        )

    listener = asyncio.run_coroutine_threadsafe(start(), loop).result()
    port = listener.get_port()
    public = key.export_public_key().decode().strip()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    yield f"sftp://joe:s3cret@127.0.0.1:{port}"
    loop.call_soon_threadsafe(listener.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_sftp(sftp: str, tmp_path: Path) -> None:
    shown = shown_address(sftp + "/")
    (file,) = found(f"{sftp}/").files
    assert file.path == f"{shown}a.csv"
    assert "s3cret" not in repr(file)
    assert count(file) == ROWS
    with pytest.raises(FileError, match="no such file") as caught:
        found(f"{sftp}/none.csv")
    assert "s3cret" not in str(caught.value)


def test_sftp_does_not_trust_an_unknown_host(sftp: str, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text("")
    with pytest.raises(FileError, match=r"(?i)host key"):
        found(f"{sftp}/a.csv")


@pytest.mark.parametrize(
    ("address", "package", "extra"),
    [("http://h/a.csv", "aiohttp", "http"), ("s3://b/a.csv", "s3fs", "s3"), ("gs://b/a.csv", "gcsfs", "gs"),
     ("az://b/a.csv", "adlfs", "az"), ("sftp://h/a.csv", "sshfs", "sftp")],
)  # fmt: skip
def test_a_missing_package_says_which(address: str, package: str, extra: str, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"
        "from pgsluice.source.discover import discover\n"
        "from pgsluice.model import DialectOptions\n"
        f"try: discover([{address!r}], DialectOptions())\n"
        "except Exception as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert f"pip install 'pgsluice[{extra}]'" in ran.stdout, ran
