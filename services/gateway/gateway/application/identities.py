"""Makes the ids of new objects. Every draft of a dialect gets its id here, so that tests can foresee them."""

from collections.abc import Callable
from uuid import UUID, uuid4

from run_engine.domain import ids


class NewIds:
    """A source of ids; `number` gives a fresh 128-bit number each time."""

    def __init__(self, number: Callable[[], UUID] = uuid4) -> None:
        self._number = number

    def assistant(self) -> str:
        """For a new assistant: `asst_…`."""
        return ids.render("assistant", self._number())

    def thread(self) -> str:
        """For a new thread: `thread_…`."""
        return ids.render("thread", self._number())

    def message(self) -> str:
        """For a new message: `msg_…`."""
        return ids.render("message", self._number())

    def file(self) -> str:
        """For a new file: `file-…`."""
        return ids.render("file", self._number())

    def run(self) -> str:
        """For a new run: `run_…`."""
        return ids.render("run", self._number())

    def user(self) -> str:
        """For a new user: `user_…`."""
        return ids.render("user", self._number())

    def tool(self) -> str:
        """For a new tool: `tool_…`."""
        return ids.render("tool", self._number())
