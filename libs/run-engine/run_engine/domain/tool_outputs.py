"""Which outputs are taken: those of a client that submits for its open calls, all at once; or some, of any calls."""

from collections.abc import Mapping, Sequence

from run_engine.domain.status import PARKED, RunStatus
from run_engine.errors import OutputsNotAccepted, WrongOutputs


def check_outputs(
    status: RunStatus, open_calls: Sequence[str], outputs: Sequence[tuple[str, str]]
) -> Mapping[str, str]:
    """`outputs` (call id, text) by call id. Raises `OutputsNotAccepted` and `WrongOutputs`."""
    if status is not RunStatus.REQUIRES_ACTION:
        raise OutputsNotAccepted(status)
    given = [call_id for call_id, _ in outputs]
    if sorted(given) != sorted(open_calls):
        raise WrongOutputs(open_calls, given)
    return dict(outputs)


def first_outputs(
    status: RunStatus, calls: Mapping[str, bool], outputs: Sequence[tuple[str, str]]
) -> Mapping[str, str]:
    """Of `outputs` (call id, text) the first of each open call, by call id. `calls` are the run's: id and whether open.

    Outputs of answered calls come too late and are left out. Raises `WrongOutputs` for calls that the run never had,
    and `OutputsNotAccepted` where one is open and nobody waits for it any more.
    """
    if any(call_id not in calls for call_id, _ in outputs):
        raise WrongOutputs([call_id for call_id, is_open in calls.items() if is_open], [given for given, _ in outputs])
    first: dict[str, str] = {}
    for call_id, output in outputs:
        if calls[call_id]:
            first.setdefault(call_id, output)
    if first and status not in PARKED:
        raise OutputsNotAccepted(status)
    return first
