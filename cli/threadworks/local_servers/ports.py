"""Free TCP ports of the loopback interface, for servers that are told their port before they start.

Used by `kafka`, the test fixtures and the `up` supervisor.
"""

import random
import socket
from pathlib import Path

_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_EPHEMERAL_START = 32768
_SPAN = 12_000


def free_port() -> int:
    """A port that nothing listens on, below the range that outgoing connections take theirs from.

    Inside that range a client that goes on connecting to a stopped server can be given the server's own port, connect
    to itself, and so keep the server from coming back.
    """
    start = _ephemeral_start()
    for port in random.sample(range(start - _SPAN, start), k=200):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port found on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether this port could be bound just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _ephemeral_start() -> int:
    try:
        return max(int(_EPHEMERAL_RANGE.read_text().split()[0]), _SPAN + 1024)
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL_START
