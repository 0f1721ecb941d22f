"""The queue of scripted replies."""

from dataclasses import dataclass
from typing import Any

from model_simulator.control.scripted_reply import ScriptedReply
from model_simulator.request.chat_request import ChatRequest


@dataclass(slots=True)
class _Queued:
    reply: ScriptedReply
    left: int | None


class ScriptQueue:
    """Scripted replies in order; a request takes the first one that fits it."""

    def __init__(self) -> None:
        self._queue: list[_Queued] = []

    def add(self, replies: list[ScriptedReply]) -> int:
        """Append replies and return how many are queued now."""
        self._queue += [_Queued(reply, reply.times) for reply in replies]
        return len(self._queue)

    def take(self, request: ChatRequest) -> ScriptedReply | None:
        """Return the reply for this request and use it up, or None when no one fits."""
        for position, queued in enumerate(self._queue):
            if queued.reply.fits(request):
                if queued.left is not None:
                    queued.left -= 1
                    if queued.left == 0:
                        del self._queue[position]
                return queued.reply
        return None

    def view(self) -> list[dict[str, Any]]:
        """Return what is left, in order; `times` is how often each will still be used."""
        return [
            queued.reply.model_dump(mode="json", exclude_unset=True) | {"times": queued.left} for queued in self._queue
        ]

    def clear(self) -> None:
        """Forget all of them."""
        self._queue.clear()
