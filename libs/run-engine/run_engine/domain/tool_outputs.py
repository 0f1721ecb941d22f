"""Which outputs a client may submit: exactly those of its open calls, all at once."""

from collections.abc import Mapping, Sequence

from run_engine.domain.status import RunStatus
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
