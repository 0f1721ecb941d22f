"""The JSON of a scripted reply, checked, and the plan it becomes: what POST /control/script accepts."""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, model_validator

from model_simulator.answers.answer import ToolCall
from model_simulator.reply.plan import Pace, Plan, own_pieces, refusal_named, wished_pace
from model_simulator.reply.steps import Cut, Gate, Pause, Piece, Raw, Step, Text, Wait, pieces_of_call
from model_simulator.request.chat_request import ChatRequest
from model_simulator.request.messages import text_of
from model_simulator.request.refusals import NAMES, Refusal


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextStep(_Strict):
    """`{"text": "…"}` or just the string: one chunk of text, exactly this."""

    text: str


class AnswerStep(_Strict):
    """`{"answer": 3}`: the next three chunks of the simulator's own answer; `{"answer": true}`: the rest of it."""

    answer: PositiveInt | Literal[True]


class CalledFunction(_Strict):
    """The function of a scripted tool call; arguments are JSON text, or an object that becomes one."""

    name: str
    arguments: str | dict[str, Any] = "{}"
    id: str | None = None


class ToolCallStep(_Strict):
    """`{"tool_call": {"name", "arguments", "id"}}`."""

    tool_call: CalledFunction


class PauseStep(_Strict):
    """`{"pause": seconds}`."""

    pause: NonNegativeFloat


class GateStep(_Strict):
    """`{"gate": "name"}`: wait until POST /control/release/<name>."""

    gate: str = Field(min_length=1)


class CutStep(_Strict):
    """`{"cut": true}`: close the connection here."""

    cut: Literal[True]


class RawStep(_Strict):
    """`{"raw": "…"}`: these characters go into the stream as they are."""

    raw: str


WaitStep = PauseStep | GateStep
ScriptStep = Annotated[
    str | TextStep | AnswerStep | ToolCallStep | PauseStep | GateStep | CutStep | RawStep,
    Field(union_mode="left_to_right"),
]


class ScriptedReply(_Strict):
    """One reply of a script: when it is used, and what it does.

    match: only for a request whose last user message contains this text. after_tools: only when the last message is
    (true) or is not (false) a tool's. model: only for this model name. times: how often it is used, null for always.
    before: waits before the status goes out. error: a refusal by name; or status, headers and body of one.
    Without an error the steps are played; left out they are the simulator's own answer.
    """

    match: str | None = None
    after_tools: bool | None = None
    model: str | None = None
    times: PositiveInt | None = 1
    before: list[WaitStep] = []
    error: str | None = None
    status: int | None = Field(None, ge=400, le=599)
    headers: dict[str, str] = {}
    body: dict[str, Any] | str | None = None
    steps: list[ScriptStep] = [AnswerStep(answer=True)]
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    tokens_per_second: NonNegativeFloat | None = None
    first_token_seconds: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.error is not None and self.error not in NAMES:
            raise ValueError(f"error must be one of {', '.join(sorted(NAMES))}")
        if self.error is not None and (self.status is not None or self.body is not None):
            raise ValueError("error brings its own status and body")
        if self.status is None and self.body is not None:
            raise ValueError("body needs a status of 400 or more; use steps for an answer")
        return self

    def fits(self, request: ChatRequest) -> bool:
        """Tell whether the reply is meant for this request."""
        if self.after_tools is not None and self.after_tools != (request.messages[-1]["role"] == "tool"):
            return False
        if self.model is not None and self.model != request.model:
            return False
        if self.match is None:
            return True
        asked = next((text_of(each) for each in reversed(request.messages) if each["role"] == "user"), "")
        return self.match in asked

    def plan(self, request: ChatRequest, pace: Pace, context_tokens: int) -> Plan:
        """Return what it does for this request."""
        wished = wished_pace(request, pace)
        chosen = Pace(
            wished.tokens_per_second if self.tokens_per_second is None else self.tokens_per_second,
            wished.first_token_seconds if self.first_token_seconds is None else self.first_token_seconds,
        )
        refusal = self._refusal(request, context_tokens)
        return Plan(
            steps=() if refusal else self._steps(request),
            pace=chosen,
            before=[_wait(step) for step in self.before],
            refusal=refusal,
            finish_reason=self.finish_reason,
            usage=self.usage,
        )

    def _refusal(self, request: ChatRequest, context_tokens: int) -> Refusal | None:
        if self.error is not None:
            named = refusal_named(self.error, request, context_tokens)
            return Refusal(named.status, named.body, named.headers | self.headers)
        if self.status is None:
            return None
        if self.body is None:
            return Refusal.of(self.status, "A scripted error of the model simulator.", headers=self.headers)
        body = self.body.encode() if isinstance(self.body, str) else orjson.dumps(self.body)
        return Refusal(self.status, body, self.headers)

    def _steps(self, request: ChatRequest) -> list[Step]:
        steps: list[Step] = []
        own: list[Piece] | None = None
        calls = 0
        for step in self.steps:
            match step:
                case str():
                    steps.append(Text(step))
                case TextStep():
                    steps.append(Text(step.text))
                case AnswerStep():
                    own = own_pieces(request) if own is None else own
                    taken = len(own) if step.answer is True else step.answer
                    steps += own[:taken]
                    own = own[taken:]
                case ToolCallStep():
                    called = step.tool_call
                    text = (
                        called.arguments
                        if isinstance(called.arguments, str)
                        else orjson.dumps(called.arguments).decode()
                    )
                    steps += pieces_of_call(ToolCall(called.name, text, called.id), calls)
                    calls += 1
                case PauseStep() | GateStep():
                    steps.append(_wait(step))
                case CutStep():
                    steps.append(Cut())
                case RawStep():
                    steps.append(Raw(step.raw))
        return steps


class Script(_Strict):
    """The body of POST /control/script."""

    replies: list[ScriptedReply]


def _wait(step: PauseStep | GateStep) -> Wait:
    return Pause(step.pause) if isinstance(step, PauseStep) else Gate(step.gate)
