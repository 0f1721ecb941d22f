"""The messages of a request, read as a conversation: what is asked, what was looked up since, and for which courses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import orjson

from model_simulator.answers import course_ids
from model_simulator.answers.dates_asked import asks_for_dates
from model_simulator.answers.language import is_german
from model_simulator.request.messages import text_of


@dataclass(frozen=True, slots=True)
class LookUp:
    """An answered tool call since the user's question; `output` is what the tool message says."""

    function: str
    arguments: dict[str, Any]
    output: str


class Conversation:
    """The facts that the rules decide on; everything is derived from the messages."""

    def __init__(self, messages: Sequence[dict[str, Any]]) -> None:
        self._messages = messages
        self._users = [index for index, message in enumerate(messages) if message["role"] == "user"]

    @cached_property
    def question(self) -> str:
        """The text of the last user message; "" when there is none."""
        return text_of(self._messages[self._users[-1]]) if self._users else ""

    @cached_property
    def german(self) -> bool:
        """Whether to answer in German: the latest user message that shows a language decides, else the instructions."""
        return is_german(chain(self._texts("user"), self._texts("system", "developer")))

    @cached_property
    def about_dates(self) -> bool:
        """Whether dates are asked for, also when the last message only supplies the course id that was missing."""
        if asks_for_dates(self.question):
            return True
        if not course_ids.is_little_more_than_an_id(self.question):
            return False
        texts = self._texts("user")
        next(texts)
        return asks_for_dates(next(texts, ""))

    @cached_property
    def look_ups(self) -> list[LookUp]:
        """The answered tool calls since the last user message, in order."""
        since = self._messages[self._users[-1] + 1 if self._users else 0 :]
        outputs = {each["tool_call_id"]: text_of(each) for each in since if each["role"] == "tool"}
        calls = [call for each in since for call in each.get("tool_calls") or ()]
        return [
            LookUp(call["function"]["name"], _arguments(call["function"]["arguments"]), outputs[call["id"]])
            for call in calls
            if call["id"] in outputs
        ]

    @cached_property
    def course_ids(self) -> list[str]:
        """The courses meant: those of the question, else of an earlier one, else of the instructions."""
        asked = course_ids.plausible_in(self.question)
        if asked:
            return asked
        for text in self._texts("user"):
            if earlier := course_ids.named_in(text):
                return earlier
        instructions = "\n".join(reversed(list(self._texts("system", "developer"))))
        return course_ids.named_in(instructions)

    def _texts(self, *roles: str) -> Iterator[str]:
        """The texts of these roles, the latest first."""
        return (text_of(message) for message in reversed(self._messages) if message["role"] in roles)


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
