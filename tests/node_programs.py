"""Runs programs of Node.js with their packages, which npm installs beside them once, from the lock.

Those in tests/node have the official openai-node.
"""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).with_name("node")
_INSTALL_SECONDS = 120
_PROGRAM_SECONDS = 90
# Without a network it is known within seconds that there is none.
_RETRIES = ("--fetch-retries=3", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000")


class NoNode(Exception):
    """Node.js or its packages are not here, and npm could not bring them."""


class NodePrograms:
    """`install()` once, then `run` any program of the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def install(self) -> None:
        """Install what the lock says, unless it is there already. Raises NoNode."""
        for command in ("node", "npm"):
            if shutil.which(command) is None:
                raise NoNode(f"there is no {command} on this machine")
        lock = self.folder / "package-lock.json"
        wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
        installed = self.folder / "node_modules" / ".installed"
        with lock.open("rb") as held:
            # Two test sessions may meet here.
            fcntl.flock(held, fcntl.LOCK_EX)
            if installed.exists() and installed.read_text() == wanted:
                return
            self._npm("ci", "--ignore-scripts", "--prefer-offline", *_RETRIES)
            installed.write_text(wanted)

    def _npm(self, *arguments: str) -> None:
        try:
            done = subprocess.run(
                ["npm", *arguments],
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NoNode(f"npm took more than {_INSTALL_SECONDS} s") from error
        if done.returncode:
            raise NoNode(f"npm {arguments[0]}: {done.stderr[-1000:]}")

    def run(self, program: str, **given: Any) -> dict[str, Any]:
        """Return what the program told. What it says on stderr fails the test."""
        done = subprocess.run(
            ["node", f"{program}.mjs", orjson.dumps(given)],
            cwd=self.folder,
            capture_output=True,
            timeout=_PROGRAM_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        told: dict[str, Any] = orjson.loads(done.stdout)
        return told
