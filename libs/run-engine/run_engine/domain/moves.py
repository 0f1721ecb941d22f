"""How a run moves: one table, read by everything that changes a status.

The hot statements (claim, park, finish, answer) carry their row of this table in their WHERE; a test drives each of
them from every status and compares with `MOVES`. The cold ones (cancel, expire, sweeping) lock the run, ask here, and
write what they were told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from run_engine.domain.status import DRIVEN, ENDED, PARKED, RunStatus
from run_engine.errors import IllegalMove

LOST_WORKERS_LIMIT: Final = 3
"""So many workers may die under one step before the run is given up: a run that kills its workers must not go on."""


class Trigger(StrEnum):
    """What can happen to a run."""

    CLAIM = "claim"
    """A worker takes it."""
    PARK_FOR_CLIENT = "park_for_client"
    """The model asked for tools, at least one of them the client's."""
    PARK_FOR_SERVICES = "park_for_services"
    """The model asked for tools that services answer, and no other."""
    COMPLETE = "complete"
    FAIL = "fail"
    CUT_SHORT = "cut_short"
    """A token limit ended the answer early."""
    HAND_BACK = "hand_back"
    """Its worker gives it up unharmed (shutdown, or a claim whose reply was lost)."""
    LOSE_WORKER = "lose_worker"
    """Its worker's lease ran out."""
    GIVE_UP = "give_up"
    """Its worker's lease ran out for the last time (`LOST_WORKERS_LIMIT`)."""
    CLIENT_ANSWERED = "client_answered"
    """The client's calls are answered, a service's are not yet."""
    ALL_ANSWERED = "all_answered"
    """No call is open any more."""
    CANCEL = "cancel"
    OBEY_CANCEL = "obey_cancel"
    """Its worker has stopped because it was asked to."""
    EXPIRE = "expire"


_S, _T = RunStatus, Trigger

MOVES: Final[Mapping[tuple[RunStatus, Trigger], RunStatus]] = MappingProxyType(
    {
        (_S.QUEUED, _T.CLAIM): _S.IN_PROGRESS,
        (_S.QUEUED, _T.CANCEL): _S.CANCELLED,
        (_S.QUEUED, _T.EXPIRE): _S.EXPIRED,
        (_S.IN_PROGRESS, _T.PARK_FOR_CLIENT): _S.REQUIRES_ACTION,
        (_S.IN_PROGRESS, _T.PARK_FOR_SERVICES): _S.AWAITING_TOOLS,
        (_S.IN_PROGRESS, _T.COMPLETE): _S.COMPLETED,
        (_S.IN_PROGRESS, _T.FAIL): _S.FAILED,
        (_S.IN_PROGRESS, _T.CUT_SHORT): _S.INCOMPLETE,
        (_S.IN_PROGRESS, _T.HAND_BACK): _S.QUEUED,
        (_S.IN_PROGRESS, _T.LOSE_WORKER): _S.QUEUED,
        (_S.IN_PROGRESS, _T.GIVE_UP): _S.FAILED,
        (_S.IN_PROGRESS, _T.CANCEL): _S.CANCELLING,
        (_S.IN_PROGRESS, _T.EXPIRE): _S.EXPIRED,
        (_S.REQUIRES_ACTION, _T.CLIENT_ANSWERED): _S.AWAITING_TOOLS,
        (_S.REQUIRES_ACTION, _T.ALL_ANSWERED): _S.QUEUED,
        (_S.REQUIRES_ACTION, _T.CANCEL): _S.CANCELLED,
        (_S.REQUIRES_ACTION, _T.EXPIRE): _S.EXPIRED,
        (_S.AWAITING_TOOLS, _T.ALL_ANSWERED): _S.QUEUED,
        (_S.AWAITING_TOOLS, _T.CANCEL): _S.CANCELLED,
        (_S.AWAITING_TOOLS, _T.EXPIRE): _S.EXPIRED,
        # A worker that was faster than the cancellation: its answer is paid for and kept.
        (_S.CANCELLING, _T.COMPLETE): _S.COMPLETED,
        (_S.CANCELLING, _T.FAIL): _S.FAILED,
        (_S.CANCELLING, _T.CUT_SHORT): _S.INCOMPLETE,
        (_S.CANCELLING, _T.OBEY_CANCEL): _S.CANCELLED,
        (_S.CANCELLING, _T.HAND_BACK): _S.CANCELLED,
        (_S.CANCELLING, _T.LOSE_WORKER): _S.CANCELLED,
        (_S.CANCELLING, _T.GIVE_UP): _S.CANCELLED,
        (_S.CANCELLING, _T.EXPIRE): _S.EXPIRED,
    }
)

_REPEATABLE: Final = frozenset(
    {_T.CLAIM, _T.LOSE_WORKER, _T.GIVE_UP, _T.HAND_BACK, _T.OBEY_CANCEL, _T.EXPIRE, _T.CLIENT_ANSWERED, _T.ALL_ANSWERED}
)
"""Triggers that events carry. Events come twice and late, so these change nothing where they no longer apply.

What a worker decides (park, complete, fail, cut short) is fenced by its attempt and so never repeated; what a client
asks for (cancel) deserves an answer: outside the table, both are errors.
"""


@dataclass(frozen=True, slots=True)
class RunState:
    """The part of a run that moves depend on."""

    status: RunStatus
    attempt: int = 0
    """Number of claims so far; with the worker's name it is the fence."""
    lost_workers: int = 0
    """Leases lost since the last completed step."""
    open_client_calls: int = 0
    open_server_calls: int = 0


def target(status: RunStatus, trigger: Trigger) -> RunStatus:
    """Where `trigger` leads from `status`: `status` itself for a repeated or late trigger; `IllegalMove` otherwise."""
    moved = MOVES.get((status, trigger))
    if moved is not None:
        return moved
    if trigger in _REPEATABLE:
        return status
    raise IllegalMove(status, trigger)


def move(run: RunState, trigger: Trigger) -> RunState:
    """`run` after `trigger`, with its counters. Pure; raises `IllegalMove`."""
    if (run.status, trigger) not in MOVES:
        target(run.status, trigger)
        return run
    moved = replace(run, status=MOVES[run.status, trigger])
    if trigger is Trigger.CLAIM:
        return replace(moved, attempt=run.attempt + 1)
    if trigger is Trigger.LOSE_WORKER:
        return replace(moved, lost_workers=run.lost_workers + 1)
    if trigger in {Trigger.CLIENT_ANSWERED, Trigger.ALL_ANSWERED}:
        return replace(moved, lost_workers=0) if trigger is Trigger.ALL_ANSWERED else moved
    return moved


def park(run: RunState, *, client_calls: int, server_calls: int) -> RunState:
    """`run` after the model asked for tools: parked, with its calls open. At least one call is needed."""
    if client_calls + server_calls < 1:
        raise ValueError("a run parks only for at least one call")
    trigger = Trigger.PARK_FOR_CLIENT if client_calls else Trigger.PARK_FOR_SERVICES
    return replace(move(run, trigger), open_client_calls=client_calls, open_server_calls=server_calls)


def answer(run: RunState, *, client_calls: int = 0, server_calls: int = 0) -> RunState:
    """`run` after so many of its open calls were answered; a run that is not parked does not change."""
    if run.status not in PARKED:
        return run
    client = run.open_client_calls - client_calls
    server = run.open_server_calls - server_calls
    if client < 0 or server < 0:
        raise ValueError("more answers than open calls")
    counted = replace(run, open_client_calls=client, open_server_calls=server)
    if client == 0 and server == 0:
        return move(counted, Trigger.ALL_ANSWERED)
    if client == 0 and run.status is RunStatus.REQUIRES_ACTION:
        return move(counted, Trigger.CLIENT_ANSWERED)
    return counted


def lose_worker(run: RunState) -> RunState:
    """`run` after its worker's lease ran out: queued again, or failed when that happened too often."""
    last = run.status in DRIVEN and run.lost_workers + 1 >= LOST_WORKERS_LIMIT
    if last and run.status is RunStatus.IN_PROGRESS:
        return replace(move(run, Trigger.GIVE_UP), lost_workers=run.lost_workers + 1)
    return move(run, Trigger.LOSE_WORKER)


def cancel(status: RunStatus, *, driven: bool) -> RunStatus:
    """Where a client's cancellation leads; raises `IllegalMove`. An imported run has no worker that could be asked."""
    if not driven and status not in ENDED:
        return RunStatus.CANCELLED
    return target(status, Trigger.CANCEL)


def holds_thread(status: RunStatus) -> bool:
    """Whether a run in `status` locks its thread against new messages and other runs."""
    return status not in ENDED
