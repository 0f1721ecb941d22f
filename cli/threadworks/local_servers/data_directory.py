"""A data directory belongs to one running server: two checkouts or two starts never share one by accident.

Used by `postgres` and `kafka`. The lock is held by every process that has the file open, so it outlives a killed
parent exactly as long as its server does.
"""

import fcntl
import os
from pathlib import Path


class DataDirectoryInUseError(Exception):
    """Another server still runs on this data directory: stop it, or set another directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"another server runs on the data directory {directory}: stop it, or set another directory")
        self.directory = directory


class DataDirectory:
    """An existing folder with a lock file; `lock` before the server starts, `unlock` when it is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """File descriptor of the held lock, for the server to inherit."""
        if self._descriptor is None:
            raise RuntimeError("the data directory is not locked")
        return self._descriptor

    def lock(self) -> None:
        """Create the folder where it is missing and take the lock; DataDirectoryInUseError when somebody has it."""
        if self._descriptor is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DataDirectoryInUseError(self.path) from None
        self._descriptor = descriptor

    def unlock(self) -> None:
        """Give the lock back. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
