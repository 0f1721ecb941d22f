"""Server-sent events: bytes as they arrive, into the data of each event. Used by `client` on the hot path.

The SDK's own reader makes several objects of each event; this one makes one, and a test holds the two to each other.
"""

import re
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class EventStreamReader:
    """Splits a stream of bytes into events. Fields other than `data` are ignored, and so are comments."""

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._data: list[bytes] = []
        self._after_cr = False

    def feed(self, arrived: bytes) -> list[bytes]:
        """The data of the events that `arrived` completes; several data lines of one event are joined by \\n."""
        if self._after_cr and arrived.startswith(b"\n"):
            # The second half of a \r\n that came in two pieces: its line has ended already.
            arrived = arrived[1:]
            self._after_cr = False
        if not arrived:
            return []
        has_cr = b"\r" in arrived
        self._after_cr = has_cr and arrived.endswith(b"\r")
        if not has_cr and b"\n" not in arrived:
            self._unfinished.append(arrived)
            return []
        if self._unfinished:
            arrived = b"".join([*self._unfinished, arrived])
            self._unfinished = []
        lines = _LINE_END.split(arrived) if has_cr else arrived.split(b"\n")
        rest = lines.pop()
        if rest:
            self._unfinished.append(rest)
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                    self._data = []
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line == b"data":
                self._data.append(b"")
        return events
