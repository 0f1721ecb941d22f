"""One server that runs as a child process: started in a session of its own, stopped for certain, gone with its parent.

Used by `postgres` and `kafka`; the `up` supervisor may use it for anything else that must not outlive it.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from threadworks.local_servers.account import Account

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_SECONDS = 0.02


class ServerProcess:
    """A started child. Its own session keeps Ctrl-C of the terminal away from it: only the parent stops it.

    On Linux the child gets `death_signal` when the thread that started it ends, so start it from the thread that runs
    the event loop. `keep_open` names file descriptors that the child inherits (the lock of its data directory).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        working_directory: Path,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        keep_open: Sequence[int] = (),
    ) -> None:
        identity = "-" if account is None else f"{account.uid}:{account.gid}"
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal)), identity]
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, and no shell
                [*launcher, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_directory,
                env=None if environment is None else dict(environment),
                start_new_session=True,
                pass_fds=tuple(keep_open),
            )

    @property
    def pid(self) -> int:
        """Process id of the server itself: the launcher turns into it."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal number when a signal ended it."""
        return self._process.poll()

    async def exited(self) -> int:
        """Wait until it has ended and return its exit code."""
        while (code := self._process.poll()) is None:  # noqa: ASYNC110 - the kernel tells no event here
            await asyncio.sleep(_POLL_SECONDS)
        return code

    async def stop(self, *signals: signal.Signals, grace: float) -> None:
        """Send each signal in turn, wait up to `grace` seconds after each, then kill. Returns when it is gone."""
        for number in signals:
            if self._process.poll() is not None:
                return
            self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self.exited()
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL, without a chance to tidy up. Returns when the process is gone."""
        if self._process.poll() is None:
            self._process.kill()
        await self.exited()
