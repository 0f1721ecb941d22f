"""How one request is answered: decided before the first byte goes out, played by `playback`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_simulator.answers.compose import compose
from model_simulator.reply.steps import Piece, Step, Wait, pieces_of
from model_simulator.request.chat_request import ChatRequest
from model_simulator.request.refusals import NAME_OF_STATUS, Refusal


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens per second (0: no limit) and seconds before the first one."""

    tokens_per_second: float
    first_token_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """`before` is waited for before the status goes out; `refusal` replaces the steps.

    finish_reason and usage: None leaves them to what the steps amount to.
    """

    steps: Sequence[Step]
    pace: Pace
    before: Sequence[Wait] = ()
    refusal: Refusal | None = None
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None


def plan_own(request: ChatRequest, pace: Pace, context_tokens: int) -> Plan:
    """Plan the simulator's own answer, with the limits and the wishes of the request."""
    wishes = request.directives
    refused = None
    if wishes.status is not None:
        refused = NAME_OF_STATUS[wishes.status]
    elif request.prompt_tokens > context_tokens:
        refused = "context_length_exceeded"
    if refused is not None:
        return Plan((), pace, refusal=refusal_named(refused, request, context_tokens))
    pieces = own_pieces(request)
    if request.max_tokens is not None and len(pieces) > request.max_tokens:
        return Plan(pieces[: request.max_tokens], wished_pace(request, pace), finish_reason="length")
    return Plan(pieces, wished_pace(request, pace))


def own_pieces(request: ChatRequest) -> list[Piece]:
    """Return what the rules answer, in chunks."""
    return pieces_of(compose(request))


def refusal_named(name: str, request: ChatRequest, context_tokens: int) -> Refusal:
    """Build the refusal of that name with the figures of this request."""
    return Refusal.named(name, model=request.model, prompt_tokens=request.prompt_tokens, context_tokens=context_tokens)


def wished_pace(request: ChatRequest, pace: Pace) -> Pace:
    """Return the pace, with what the model's name asks for put over it."""
    tps, first = request.directives.tps, request.directives.first
    if tps is None and first is None:
        return pace
    return Pace(
        pace.tokens_per_second if tps is None else tps,
        pace.first_token_seconds if first is None else first,
    )
