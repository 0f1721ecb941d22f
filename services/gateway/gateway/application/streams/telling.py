"""What one reader of a run is told, in no dialect's words: made by `narration`, written by a dialect.

Each thing has a place. Places only grow, and a reader who names the last one it has seen is told exactly the rest.
"""

from typing import Literal, NamedTuple, TypeAlias

from run_engine.domain.objects import Message, Run, RunStep

TextKind = Literal["text", "refusal"]


class Place(NamedTuple):
    """Where a reader stands: `n` counts what was told since the event `seq`.

    The first thing that an event tells has n = 0, each further one counts 1. While a step is written, each code point
    counts 1, and so does the beginning of each call; an event in the middle of it has what was told of the step as n.
    """

    seq: int
    n: int


class RunTold(NamedTuple):
    """The run, with the status that is shown now. `name` is that status, or `created`."""

    place: Place
    name: str
    run: Run


class StepTold(NamedTuple):
    """A step that was created, is in progress, or has ended. `name` says which."""

    place: Place
    name: str
    step: RunStep


class MessageTold(NamedTuple):
    """A message that was created, is in progress, completed or incomplete. `name` says which."""

    place: Place
    name: str
    message: Message


class TextTold(NamedTuple):
    """What comes next of content part `number` of a message. `first` where it is the beginning of that part."""

    place: Place
    message_id: str
    number: int
    kind: TextKind
    text: str
    first: bool


class CallTold(NamedTuple):
    """The tool call `number` of a step begins."""

    place: Place
    step_id: str
    number: int
    call_id: str
    name: str


class ArgumentsTold(NamedTuple):
    """What comes next of the arguments of the tool call `number`."""

    place: Place
    step_id: str
    number: int
    text: str


class EndTold(NamedTuple):
    """Nothing follows: the run has ended, or waits for its client, who was to be told no more than that."""

    place: Place


Told: TypeAlias = RunTold | StepTold | MessageTold | TextTold | CallTold | ArgumentsTold | EndTold
