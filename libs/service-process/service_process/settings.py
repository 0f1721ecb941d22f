"""Settings that every service has as a process, and how a process reads its settings from the environment."""

import re
import sys
from typing import Literal, TypeVar, overload

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsError

from service_process.kafka_connection import PREFIX, KafkaConnection

_One = TypeVar("_One", bound=BaseSettings)
_Other = TypeVar("_Other", bound=BaseSettings)


class ProcessSettings(KafkaConnection):
    """Kafka, logs and the ops port of one process."""

    ops_port: int = Field(default=0, ge=0, le=65535)
    """Port of /healthz, /readyz and /metrics. 0 = any free one, so that two copies on one machine never collide."""
    ops_host: str = "127.0.0.1"
    """Address of the ops port. Loopback, because it answers without a key; Kubernetes needs 0.0.0.0."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` writes text for people on a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Events below this level are dropped."""


@overload
def load_settings(service: str, one: type[_One], /) -> tuple[_One]: ...
@overload
def load_settings(service: str, one: type[_One], other: type[_Other], /) -> tuple[_One, _Other]: ...
def load_settings(service: str, /, *classes: type[BaseSettings]) -> tuple[BaseSettings, ...]:
    """Read settings from the environment, one object per class.

    If something is missing or wrong, write one line that names every such setting, and what it must be where its field
    has a description, to stderr and exit with code 2. No value is repeated: it may be a secret.
    """
    loaded, problems = [], []
    for each in classes:
        try:
            loaded.append(each())
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_context=False, include_input=False):
                place = str(problem["loc"][0]) if problem["loc"] else ""
                problems.append(_sentence(each, place, problem["type"], problem["msg"]))
        except SettingsError as error:
            problems.append(_no_json(each, str(error)))
    if problems:
        sys.stderr.write(f"{service} cannot start: {'; '.join(problems)}\n")
        raise SystemExit(2)
    return tuple(loaded)


def _sentence(settings: type[BaseSettings], place: str, problem: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name, wanted = _variable(settings, place)
    return f"{name} is not set{wanted}" if problem == "missing" else f"{name}: {message}{wanted}"


def _no_json(settings: type[BaseSettings], message: str) -> str:
    """What pydantic-settings means when it cannot decode a list or a table; it names the field in its text alone."""
    place = re.search('field "([^"]+)"', message)
    name, wanted = _variable(settings, place[1] if place else "")
    return f"{name}: it is no JSON{wanted}"


def _variable(settings: type[BaseSettings], place: str) -> tuple[str, str]:
    """The variable that a field is read from, and what it must be; a field is reported by its name or an alias."""
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        if place == name or place in choices:
            given = [choice for choice in choices if isinstance(choice, str) and choice.isupper()]
            variable = given[0] if given else PREFIX + name.upper()
            return variable, f", set it to {field.description}" if field.description else ""
    return PREFIX + place.upper(), ""
