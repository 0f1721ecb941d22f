"""The order of events in a stream of a run, as one small automaton that knows what may come next.

Used by `stream_facts`. It holds run, step and message of one stream to each other: nothing is told of an object before
it was created or after it ended, deltas add up to the object that ends them, and the last word is about the run.
"""

from typing import Any, Literal

Beginning = Literal["thread", "run", "outputs"]
"""What a stream begins with: a new thread, a new run, or the outputs of a run that waits for them."""

_ENDS = {"completed", "incomplete", "failed", "cancelled", "expired"}
_MOVES = {
    "": {"created"},
    "created": {"queued"},
    "queued": {"in_progress", "cancelling", "cancelled", "expired"},
    "in_progress": {"requires_action", "cancelling", *_ENDS},
    "requires_action": {"queued", "in_progress", "cancelling", "cancelled", "expired"},
    "cancelling": _ENDS,
} | {end: set[str]() for end in _ENDS}
_UNKNOWN_STEP = {"id": "the step that waits for outputs", "type": "tool_calls"}


class StreamOrder:
    """Sees the events of one stream, in order, and keeps what was wrong in `problems`."""

    def __init__(self, beginning: Beginning) -> None:
        self.problems: list[str] = []
        self._thread_wanted = beginning == "thread"
        self._run = "requires_action" if beginning == "outputs" else ""
        self._ids: dict[str, str] = {}
        self._step: dict[str, Any] | None = dict(_UNKNOWN_STEP) if beginning == "outputs" else None
        self._message: dict[str, Any] | None = None
        self._starting: str | None = None
        self._calls: dict[int, dict[str, str]] = {}
        self._parts: dict[int, dict[str, str]] = {}
        self._failed = False
        self._done = False

    def sees(self, name: str, data: Any) -> None:
        """Take the next event. `data` is its payload, read; of `done` it is not looked at."""
        if self._done:
            self._wrong(f"{name} after done")
            return
        starting, self._starting = self._starting, None
        if starting is not None and name != starting:
            self._wrong(f"{name} where {starting} had to come")
        if starting is None and name in {"thread.run.step.in_progress", "thread.message.in_progress"}:
            self._wrong(f"{name} with nothing that was created just before")
        if name == "done":
            self._ends()
        elif name == "error":
            self._failed = True
        elif self._failed:
            self._wrong(f"{name} after an error")
        elif name == "thread.created":
            self._sees_thread(data)
        elif name.startswith("thread.run.step."):
            self._belongs(data, "run_id")
            self._sees_step(name.removeprefix("thread.run.step."), data)
        elif name.startswith("thread.run."):
            self._belongs(data, "id")
            self._sees_run(name.removeprefix("thread.run."), data)
        elif name.startswith("thread.message."):
            self._belongs(data, "run_id")
            self._sees_message(name.removeprefix("thread.message."), data)
        else:
            self._wrong(f"an event of no known name: {name}")

    def end(self) -> None:
        """The stream is over, and it was the server that ended it."""
        if not self._done and not self._failed:
            self._wrong("the stream ends without done")

    def _wrong(self, what: str) -> None:
        self.problems.append(what)

    def _belongs(self, data: Any, run_key: str) -> None:
        """Nothing of another run or thread may be told. Deltas name neither."""
        for kind, key in (("run", run_key), ("thread", "thread_id")):
            if key in data and data[key] != self._ids.setdefault(kind, data[key]):
                self._wrong(f"an event of {kind} {data[key]} in the stream of {self._ids[kind]}")

    def _ends(self) -> None:
        self._done = True
        if self._run not in _ENDS | {"requires_action"} and not self._failed:
            self._wrong(f"done while the run is {self._run or 'not there'}")

    def _sees_thread(self, data: Any) -> None:
        if not self._thread_wanted or self._run:
            self._wrong("thread.created where no thread is made")
        self._thread_wanted = False
        self._ids["thread"] = data["id"]

    def _sees_run(self, name: str, data: Any) -> None:
        if self._thread_wanted:
            self._wrong("a run before its thread was created")
            self._thread_wanted = False
        if name not in _MOVES.get(self._run, set()):
            self._wrong(f"the run is {name} after it was {self._run or 'not there'}")
        if self._run == "requires_action" and (name, self._step is None) in {("queued", False), ("in_progress", True)}:
            # It goes on as soon as all calls are answered; until then services may still have to answer theirs.
            self._wrong(f"the run is {name} while the step that it waited with is {self._step or 'over'}")
        if data["status"] != ("queued" if name == "created" else name):
            self._wrong(f"thread.run.{name} with status {data['status']}")
        self._run = name
        if self._message is not None and name in _ENDS | {"requires_action"}:
            self._wrong(f"the run is {name} while message {self._message['id']} is open")
        if name in _ENDS and self._step is not None:
            self._wrong(f"the run is {name} while step {self._step['id']} is open")
        if name == "requires_action":
            self._sees_required(data)

    def _sees_required(self, run: Any) -> None:
        if self._step is None or self._step["type"] != "tool_calls":
            self._wrong("the run requires action without an open step of tool calls")
        required = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        told = [self._calls[index] for index in sorted(self._calls)]
        for call in required:
            if _call(call) not in told:
                self._wrong(f"call {_call(call)} is required, and told was {told}")

    def _sees_step(self, name: str, data: Any) -> None:
        if name == "created":
            self._sees_new_step(data)
            return
        if self._step is None:
            self._wrong(f"thread.run.step.{name} without an open step")
            return
        if self._step["id"] == _UNKNOWN_STEP["id"]:
            self._step["id"] = data["id"]
        if data["id"] != self._step["id"]:
            self._wrong(f"thread.run.step.{name} of {data['id']} while {self._step['id']} is open")
        if name == "delta":
            self._sees_calls(data["delta"])
        elif name != "in_progress":
            self._sees_step_end(name, data)

    def _sees_new_step(self, data: Any) -> None:
        if self._step is not None:
            self._wrong(f"step {data['id']} is created while {self._step['id']} is open")
        if self._run not in {"in_progress", "cancelling"}:
            self._wrong(f"a step is created while the run is {self._run or 'not there'}")
        if data["status"] != "in_progress" or data["step_details"].get("tool_calls"):
            self._wrong(f"a step is created that has begun already: {data['status']} {data['step_details']}")
        self._step, self._calls = data, {}
        self._starting = "thread.run.step.in_progress"

    def _sees_step_end(self, name: str, data: Any) -> None:
        if self._message is not None:
            self._wrong(f"step {data['id']} is {name} while message {self._message['id']} is open")
        if data["status"] != name:
            self._wrong(f"thread.run.step.{name} with status {data['status']}")
        calls = data["step_details"].get("tool_calls")
        if calls is not None and self._calls and [_call(each) for each in calls] != list(self._calls.values()):
            self._wrong(f"step {data['id']} has the calls {calls}, and told was {self._calls}")
        if name == "completed" and any(each["function"]["output"] is None for each in calls or []):
            self._wrong(f"step {data['id']} is completed, and a call has no output")
        self._step = None

    def _sees_calls(self, delta: Any) -> None:
        assert self._step is not None
        if self._step["type"] != "tool_calls":
            self._wrong("a delta of a step that calls no tools")
        for call in delta["step_details"]["tool_calls"]:
            index, function = call["index"], call["function"]
            if index not in self._calls:
                self._calls[index] = {"id": call.get("id"), "name": function.get("name"), "arguments": ""}
                if index != len(self._calls) - 1 or not call.get("id") or not function.get("name"):
                    self._wrong(f"a call that does not begin as one: {call}")
            elif "id" in call or "name" in function:
                self._wrong(f"a call begins twice: {call}")
            elif index != max(self._calls):
                self._wrong(f"arguments of call {index} after the next one has begun")
            self._calls[index]["arguments"] += function.get("arguments") or ""

    def _sees_message(self, name: str, data: Any) -> None:
        if name == "created":
            self._sees_new_message(data)
            return
        if self._message is None or data["id"] != self._message["id"]:
            self._wrong(f"thread.message.{name} of {data['id']}, which is not open")
            return
        if name == "delta":
            self._sees_text(data["delta"])
        elif name != "in_progress":
            if data["status"] != name:
                self._wrong(f"thread.message.{name} with status {data['status']}")
            whole = [{"type": each["type"], "text": _text(each)} for each in data["content"] if _text(each)]
            told = [self._parts[index] for index in sorted(self._parts)]
            if whole != told:
                self._wrong(f"message {data['id']} holds {whole}, and told was {told}")
            self._message = None

    def _sees_new_message(self, data: Any) -> None:
        step = self._step or {}
        if step.get("type") != "message_creation":
            self._wrong("a message is created without a step that creates it")
        elif step["step_details"]["message_creation"]["message_id"] != data["id"]:
            self._wrong(f"message {data['id']} is created where step {step['id']} makes another")
        if self._message is not None:
            self._wrong(f"message {data['id']} is created while {self._message['id']} is open")
        if data["status"] != "in_progress" or data["content"]:
            self._wrong(f"a message is created that has begun already: {data['status']} {data['content']}")
        self._message, self._parts = data, {}
        self._starting = "thread.message.in_progress"

    def _sees_text(self, delta: Any) -> None:
        for part in delta["content"]:
            begun = part["index"] in self._parts
            known = self._parts.setdefault(part["index"], {"type": part["type"], "text": ""})
            known["text"] += _text(part)
            if part["type"] == "text" and ("annotations" in part["text"]) is begun:
                self._wrong(f"annotations belong to the first delta of a text and to no other: {part}")


def _text(part: Any) -> str:
    return str(part["text"]["value"] if part["type"] == "text" else part["refusal"])


def _call(call: Any) -> dict[str, str]:
    return {"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
