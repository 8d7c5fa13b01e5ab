"""The names in ``compose.yaml``: those with which the commands of the original system work as they were written.

No container is started. The file is read by the client of Docker Compose where there is one, and by a YAML parser.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from command import environment

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "compose.yaml"
SETTINGS = PROJECT / ".env.example"
SECONDS = 60


def _client() -> list[str]:
    """The command of Docker Compose: the plugin of ``docker``, or the older program."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        asked = subprocess.run([*command, "version"], capture_output=True, timeout=SECONDS, check=False)
        if asked.returncode == 0:
            return command
    pytest.skip("no client of Docker Compose is installed")


def _by_client() -> dict[str, Any]:
    command = [*_client(), "--env-file", str(SETTINGS), "--file", str(COMPOSE), "config"]
    # Compose prefers the variables of the environment to those of the file.
    env = {name: value for name, value in environment().items() if not name.startswith(("POSTGRES_", "COMPOSE_"))}
    told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=PROJECT)
    assert told.returncode == 0, told.stderr
    read: dict[str, Any] = yaml.safe_load(told.stdout)
    return read


def _settings() -> dict[str, str]:
    lines = SETTINGS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _by_parser(settings: dict[str, str]) -> dict[str, Any]:
    """The file with ``${NAME:-default}`` and ``${NAME:?message}`` replaced, as Compose's manual describes them."""

    def value(found: re.Match[str]) -> str:
        name, operator, text = found.groups()
        if settings.get(name):
            return settings[name]
        assert operator == ":-", f"{name} is required: {text}"
        return text

    text = COMPOSE.read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+)(:-|:\?)(.*?)\}", value, text))
    return read


def _ports(entry: str | dict[str, Any]) -> str:
    """``address:outside:inside`` of either form that a client prints."""
    if isinstance(entry, str):
        return entry.removesuffix("/tcp")
    return f"{entry['host_ip']}:{entry['published']}:{entry['target']}"


def _mount(entry: str | dict[str, Any]) -> str:
    return entry.removesuffix(":rw") if isinstance(entry, str) else f"{entry['source']}:{entry['target']}"


@pytest.mark.parametrize("reader", ["parser", "client"])
def test_names_of_the_original_system(reader: str) -> None:
    file = _by_client() if reader == "client" else _by_parser(_settings())
    (service,) = file["services"].values()
    assert service["container_name"] == "ecommerce_postgres"
    assert service["image"] == "postgres:15"
    given = service["environment"]
    assert (given["POSTGRES_DB"], given["POSTGRES_USER"]) == ("ecommerce_db", "dataeng")
    assert given["POSTGRES_PASSWORD"] == _settings()["POSTGRES_PASSWORD"]
    assert given["PGTZ"] == "UTC"
    assert service["command"] == ["postgres", "-c", "timezone=UTC"]
    assert [_ports(entry) for entry in service["ports"]] == ["127.0.0.1:5432:5432"]
    # The data survive the container, under exactly this name.
    assert [_mount(entry) for entry in service["volumes"]] == ["ecommerce_pgdata:/var/lib/postgresql/data"]
    assert file["volumes"]["ecommerce_pgdata"]["name"] == "ecommerce_pgdata"
    # While the image creates the database, its server listens on the socket only. So the check asks by TCP.
    kind, check = service["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert check == 'pg_isready -h 127.0.0.1 -U "$$POSTGRES_USER" -d "$$POSTGRES_DB"'


def test_the_names_do_not_need_the_settings() -> None:
    """Only the password has no default. The file itself contains none."""
    (service,) = _by_parser({"POSTGRES_PASSWORD": "x"})["services"].values()
    given = service["environment"]
    assert (given["POSTGRES_DB"], given["POSTGRES_USER"]) == ("ecommerce_db", "dataeng")
    assert service["ports"] == ["127.0.0.1:5432:5432"]
    with pytest.raises(AssertionError, match=r"POSTGRES_PASSWORD is required: copy \.env\.example to \.env"):
        _by_parser({})


@pytest.mark.parametrize("page", ["how-to/docker.md", "explanation/original.md"])
def test_the_pages_use_these_names(page: str) -> None:
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    assert "docker exec -it ecommerce_postgres psql -U dataeng -d ecommerce_db\n" in text
    assert "ecommerce_pgdata" in text
