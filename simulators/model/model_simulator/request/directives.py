"""Wishes that travel in the model's name: `demo+tps=50+first=0.3`.

The model's name is the one thing that passes from an assistant through every layer to here, so a demo, a benchmark or a
test can set the pace, the length or a failure of single runs without reaching the control paths.
"""

from dataclasses import dataclass, replace

from model_simulator.request.refusals import NAME_OF_STATUS, Refusal, RefusedError


@dataclass(frozen=True, slots=True)
class Directives:
    """What a model name asks for. None leaves it to the server's settings.

    tps: tokens per second, 0 for no pace. first: seconds before the first token. tokens: length of a plain answer.
    status: the HTTP error to answer with.
    """

    tps: float | None = None
    first: float | None = None
    tokens: int | None = None
    status: int | None = None


_NONE = Directives()


def read_directives(model: str) -> Directives:
    """Read the part behind the first "+" of a model name. Raises RefusedError for a wish that is not understood."""
    if "+" not in model:
        return _NONE
    found = _NONE
    for wish in model.split("+")[1:]:
        name, _, value = wish.partition("=")
        try:
            found = _with(found, name, value)
        except (ValueError, KeyError):
            message = (
                f"The simulator does not understand '{wish}' in the model name; it knows tps, first, tokens, status."
            )
            raise RefusedError(Refusal.of(400, message, param="model", code="invalid_value")) from None
    return found


def _with(found: Directives, name: str, value: str) -> Directives:
    match name:
        case "tps" | "first":
            number = float(value)
            # Written so that NaN fails too.
            if not 0 <= number < float("inf"):
                raise ValueError(value)
            return replace(found, tps=number) if name == "tps" else replace(found, first=number)
        case "tokens":
            return replace(found, tokens=max(1, int(value)))
        case "status":
            if int(value) not in NAME_OF_STATUS:
                raise ValueError(value)
            return replace(found, status=int(value))
    raise KeyError(name)
