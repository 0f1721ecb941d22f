"""Scripts of runs for the tests of streams: what is stored and sent, and what a reader must be told of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

NOW = datetime(2026, 9, 1, 12, 0, 0, tzinfo=UTC)
STAMP = "2026-09-01T12:00:00.5+00:00"
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
RUN = Run(
    tenant_id="tenant",
    id="run_1",
    thread_id="thread_1",
    assistant_id="asst_1",
    created_at=NOW,
    status=RunStatus.QUEUED,
    attempt=0,
    seq=1,
    expires_at=None,
    started_at=None,
    cancelled_at=None,
    failed_at=None,
    completed_at=None,
    last_error=None,
    incomplete_details=None,
    model="demo",
    instructions="Be brief.",
    tools=[],
    tool_resources=None,
    metadata={},
    usage=None,
    temperature=None,
    top_p=None,
    max_prompt_tokens=None,
    max_completion_tokens=None,
    truncation_strategy={"type": "auto", "last_messages": None},
    tool_choice="auto",
    parallel_tool_calls=True,
    response_format=None,
    reasoning_effort=None,
)


@dataclass(frozen=True)
class Stored:
    """An event as it is committed."""

    seq: int
    type: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A piece of text as a worker sends it."""

    step_id: str
    part: Any
    offset: int
    text: str
    call: tuple[str, str] | None = None


@dataclass
class Script:
    """A run, told step by step. `expected` is what a reader is told, with the text of each part in one piece."""

    items: list[Stored | Sent] = field(default_factory=list)
    expected: list[tuple[Any, ...]] = field(default_factory=list)
    seq: int = 0
    shown: str | None = None
    steps: int = 0

    def run(self, status: str, calls: tuple[tuple[str, str, str], ...] = ()) -> "Script":
        action = None
        if calls:
            action = {
                "type": "submit_tool_outputs",
                "submit_tool_outputs": {
                    "tool_calls": [
                        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
                        for id_, name, arguments in calls
                    ]
                },
            }
        ended = status in {"completed", "failed", "incomplete", "cancelled", "expired"}
        snapshot = {
            "id": RUN.id,
            "thread_id": RUN.thread_id,
            "assistant_id": RUN.assistant_id,
            "status": status,
            "attempt": 1,
            "model": "demo",
            "created_at": STAMP,
            "expires_at": STAMP,
            "started_at": STAMP,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": STAMP if status == "completed" else None,
            "metadata": {},
            "last_error": {"code": "server_error", "message": "no"} if status == "failed" else None,
            "incomplete_details": None,
            "required_action": action,
            "usage": USAGE if ended else None,
        }
        self._store(f"run.{status}", RUN.id, {"run": snapshot})
        shown = "in_progress" if status == "awaiting_tools" else status
        if self.shown is None:
            self.expected.append(("run", "created"))
        if shown != self.shown and not (shown == "queued" and self.shown == "in_progress"):
            self.expected.append(("run", shown))
            self.shown = shown
        if ended:
            self.expected.append(("end",))
        return self

    def begin(self) -> "Script":
        return self.run("queued").run("in_progress")

    def message(
        self,
        pieces: list[tuple[str, str]],
        *,
        streamed: bool = True,
        end: str = "completed",
        cancelling_after: int | None = None,
        stored: int | None = None,
    ) -> "Script":
        """A step that writes a message. `pieces` are (part, text); `end` is completed, incomplete, lost or cancelled.

        `stored`: how many of the pieces the stored message has, where it was cut off.
        """
        step_id, message_id = self._new_step()
        texts: dict[str, str] = {}
        self.expected += [
            ("step", "created", step_id),
            ("step", "in_progress", step_id),
            ("message", "created", message_id),
            ("message", "in_progress", message_id),
        ]
        if streamed:
            self._store("run-step.created", step_id, {"step": _message_step(step_id, message_id, "in_progress")})
        cancelling = False
        for place, (part, text) in enumerate(pieces):
            if streamed and place == cancelling_after:
                self._cancelling()
                cancelling = True
            offset = len(texts.get(part, ""))
            texts[part] = texts.get(part, "") + text
            if streamed:
                self.items.append(Sent(step_id, part, offset, text))
            self.expected.append(("text", message_id, part, text))
        if streamed and cancelling_after is not None and not cancelling:
            self._cancelling()
        if not streamed:
            self._store("run-step.created", step_id, {"step": _message_step(step_id, message_id, "in_progress")})
        kept = pieces if stored is None else pieces[:stored]
        content = _content([(part, "".join(t for p, t in kept if p == part)) for part in texts])
        if end == "lost":
            self._store("run-step.failed", step_id, {"step": _message_step(step_id, message_id, "failed")})
            self.expected += [("message", "incomplete", message_id), ("step", "failed", step_id)]
            return self.run("queued").run("in_progress")
        status = "completed" if end == "completed" else "incomplete"
        message = {
            "id": message_id,
            "thread_id": RUN.thread_id,
            "role": "assistant",
            "status": status,
            "content": content,
            "created_at": STAMP,
            "completed_at": STAMP if status == "completed" else None,
            "incomplete_at": None if status == "completed" else STAMP,
            "incomplete_details": None if status == "completed" else {"reason": "run_cancelled"},
            "assistant_id": RUN.assistant_id,
            "run_id": RUN.id,
            "attachments": [],
            "metadata": {},
        }
        self._store(f"message.{status}", message_id, {"message": message})
        self.expected.append(("message", status, message_id))
        done = "cancelled" if end == "cancelled" else "completed"
        self._store(f"run-step.{done}", step_id, {"step": _message_step(step_id, message_id, done)})
        self.expected.append(("step", done, step_id))
        return self

    def calls(
        self,
        calls: list[tuple[str, list[str]]],
        *,
        streamed: bool = True,
        waits_for: str = "requires_action",
        answered: bool = True,
    ) -> "Script":
        """A step that calls tools. `calls` are (name, pieces of the arguments)."""
        step_id, _ = self._new_step()
        ids = [f"call_{step_id}_{index}" for index in range(len(calls))]
        arguments = ["".join(pieces) for _, pieces in calls]
        whole = [(id_, name, text) for id_, (name, _), text in zip(ids, calls, arguments, strict=True)]
        self.expected += [("step", "created", step_id), ("step", "in_progress", step_id)]
        if streamed:
            self._store("run-step.created", step_id, {"step": _calls_step(step_id, "in_progress", [])})
        for index, (name, pieces) in enumerate(calls):
            self.expected.append(("call", step_id, index, ids[index], name))
            if streamed:
                self.items.append(Sent(step_id, index, 0, "", (ids[index], name)))
            told = ""
            for text in pieces:
                if streamed:
                    self.items.append(Sent(step_id, index, len(told), text))
                told += text
                self.expected.append(("arguments", step_id, index, text))
        event = "run-step.in_progress" if streamed else "run-step.created"
        self._store(event, step_id, {"step": _calls_step(step_id, "in_progress", whole)})
        self.run(waits_for, tuple(whole) if waits_for == "requires_action" else ())
        if answered:
            self._store("run-step.completed", step_id, {"step": _calls_step(step_id, "completed", whole, "out")})
            self.expected.append(("step", "completed", step_id))
            self.run("queued").run("in_progress")
        return self

    def _cancelling(self) -> None:
        if self.shown != "cancelling":
            self.run("cancelling")

    def _new_step(self) -> tuple[str, str]:
        self.steps += 1
        return f"step_{self.steps}", f"msg_{self.steps}"

    def _store(self, kind: str, subject: str, data: dict[str, Any]) -> None:
        self.seq += 1
        self.items.append(Stored(self.seq, f"threadworks.{kind}.v1", subject, data))


def _content(parts: list[tuple[str, str]]) -> list[Any]:
    content: list[Any] = []
    for part, text in parts:
        if part == "text":
            content.append({"type": "text", "text": {"value": text, "annotations": []}})
        elif text:
            content.append({"type": "refusal", "refusal": text})
    return content


def _step(step_id: str, kind: str, status: str, details: Any) -> dict[str, Any]:
    return {
        "id": step_id,
        "run_id": RUN.id,
        "thread_id": RUN.thread_id,
        "assistant_id": RUN.assistant_id,
        "type": kind,
        "status": status,
        "step_details": details,
        "created_at": STAMP,
        "completed_at": STAMP if status == "completed" else None,
        "failed_at": STAMP if status == "failed" else None,
        "cancelled_at": STAMP if status == "cancelled" else None,
        "expired_at": None,
        "last_error": None,
        "usage": USAGE if status == "completed" else None,
    }


def _message_step(step_id: str, message_id: str, status: str) -> dict[str, Any]:
    details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
    return _step(step_id, "message_creation", status, details)


def _calls_step(
    step_id: str, status: str, calls: list[tuple[str, str, str]], output: str | None = None
) -> dict[str, Any]:
    shown = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments, "output": output}}
        for id_, name, arguments in calls
    ]
    return _step(step_id, "tool_calls", status, {"type": "tool_calls", "tool_calls": shown})
