"""Which account PostgreSQL runs as: it refuses to run as root, which is what containers usually are.

Used by `postgres` only. Nothing is added to the machine: an unprivileged account that every Unix has is taken.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, by numbers."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """The account to change to when this process is root, None when it can stay what it is."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def make_reachable(path: Path) -> None:
    """Let other accounts pass through the folders above `path`, where they cannot yet: pass, not list.

    Needed when this process is root and the checkout lies in a closed folder such as root's home.
    """
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            log.warning(
                "other accounts may now pass through this folder: PostgreSQL does not run as root",
                action="folder_opened",
                folder=str(folder),
            )
