"""What the simulator was asked: counts of everything, and the latest requests themselves. Never an API key."""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Literal

from model_simulator.control.changes import Changes

State = Literal["in_flight", "finished", "refused", "cut", "client_gone", "stopped", "failed"]


@dataclass(slots=True)
class SeenRequest:
    """One request. `key` is a fingerprint, `at` Unix seconds, `pieces_sent` counts chunks of text and of tool calls."""

    number: int
    at: float
    key: str | None
    body: dict[str, Any] | None = None
    state: State = "in_flight"
    status: int | None = None
    pieces_sent: int = 0

    def view(self) -> dict[str, Any]:
        """Return it as JSON for /control/requests."""
        return {
            "number": self.number,
            "at": self.at,
            "key": self.key,
            "state": self.state,
            "status": self.status,
            "pieces_sent": self.pieces_sent,
            "body": self.body,
        }


class RequestLog:
    """Counts requests, by state and by key, and keeps the latest `kept` of them."""

    def __init__(self, kept: int, changes: Changes) -> None:
        self._changes = changes
        self._latest: deque[SeenRequest] = deque(maxlen=kept)
        self.total = 0
        self.states: Counter[State] = Counter()
        self.keys: Counter[str] = Counter()

    def begin(self, key: str | None, at: float) -> SeenRequest:
        """Note that a request arrived; `key` is its API key, of which only a fingerprint is kept."""
        self.total += 1
        fingerprint = None if key is None else fingerprint_of(key)
        if fingerprint is not None:
            self.keys[fingerprint] += 1
        seen = SeenRequest(self.total, at, fingerprint)
        self._latest.append(seen)
        self.states["in_flight"] += 1
        self._changes.notify()
        return seen

    def end(self, seen: SeenRequest, state: State, status: int | None) -> None:
        """Note how it ended; `status` is the HTTP status that went out, None when none did."""
        seen.state, seen.status = state, status
        self.states["in_flight"] -= 1
        self.states[state] += 1
        self._changes.notify()

    def progress(self, seen: SeenRequest, pieces: int) -> None:
        """Note how much of the reply was sent."""
        seen.pieces_sent = pieces
        self._changes.notify()

    def view(self) -> dict[str, Any]:
        """Return counts and the latest requests, the newest last."""
        return {
            "total": self.total,
            "states": {state: count for state, count in self.states.items() if count},
            "keys": dict(self.keys),
            "requests": [seen.view() for seen in self._latest],
        }

    def most_pieces_in_flight(self) -> int:
        """Return how far the most advanced reply in flight is; 0 without one among the kept."""
        return max((seen.pieces_sent for seen in self._latest if seen.state == "in_flight"), default=0)

    def reset(self) -> None:
        """Forget everything but what is in flight."""
        in_flight = self.states["in_flight"]
        self.total = 0
        self.states.clear()
        self.states["in_flight"] = in_flight
        self.keys.clear()
        self._latest.clear()


def fingerprint_of(key: str) -> str:
    """Return a short hash that tells keys apart and gives none away: twelve hexadecimal digits of SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]
