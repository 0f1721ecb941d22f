"""Why an imported object cannot be stored, beside what can be wrong with any object (`errors`)."""

from run_engine.errors import EngineError


class MadeHere(EngineError):
    """The object is this server's own work (a run that it drives or drove, a file with its bytes): not overwritten."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"The {kind} '{object_id}' was made here and is not overwritten.")
        self.kind = kind
        self.object_id = object_id


class BelongsElsewhere(EngineError):
    """The object is there already, in another thread, run or step than the one it is imported into."""

    def __init__(self, kind: str, object_id: str, owner_kind: str, owner_id: str) -> None:
        super().__init__(f"The {kind} '{object_id}' belongs to the {owner_kind} '{owner_id}'.")
        self.kind = kind
        self.object_id = object_id
        self.owner_kind = owner_kind
        self.owner_id = owner_id


class ComesTwice(EngineError):
    """Two different objects of one request have the same id."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"The {kind} '{object_id}' comes twice.")
        self.kind = kind
        self.object_id = object_id


class CallsScattered(EngineError):
    """The calls that a run waits for its client to answer are in several of its steps."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"The open calls of the run '{run_id}' are in more than one step.")
        self.run_id = run_id
