"""Holds up the answers of an installation's Moodle simulator, so that what happens meanwhile can be looked at.

The installation is started as a newcomer starts it, with a simulator of its own; this finds that by its processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
from installation import Installation

_CONTROL = "/_simulator/script"


class HeldMoodle:
    """The control of a Moodle simulator, blocking: each call takes milliseconds."""

    def __init__(self, root_url: str) -> None:
        self._http = httpx.Client(base_url=root_url, timeout=30)

    def hold(self, course_id: str) -> None:
        """Let calls for a course wait until `release`."""
        self._http.post(_CONTROL, json={"hold": {"courseid": course_id}}).raise_for_status()

    def release(self) -> None:
        """Answer all that wait."""
        self._http.post(_CONTROL, json={"hold": None}).raise_for_status()

    def close(self) -> None:
        self._http.close()


@contextmanager
def moodle_of(installation: Installation) -> Iterator[HeldMoodle]:
    """Give the control of the installation's own Moodle simulator; nothing is held afterwards."""
    parts = [psutil.Process(installation.pid)] if installation.mode == "run" else []
    parts += installation.processes("moodle_simulator")
    ports = {each.laddr.port for part in parts for each in part.net_connections("tcp4") if each.status == "LISTEN"}
    for port in sorted(ports):
        root_url = f"http://127.0.0.1:{port}"
        if httpx.get(f"{root_url}{_CONTROL}").status_code == httpx.codes.OK:
            moodle = HeldMoodle(root_url)
            try:
                yield moodle
            finally:
                moodle.release()
                moodle.close()
            return
    raise LookupError(f"no Moodle simulator listens on one of {ports}")
