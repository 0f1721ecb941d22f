"""A Python function as a tool: its JSON Schema for the model, and the way from the model's arguments to its result.

`ToolService.function` makes one of each decorated function; `answering` calls it.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_type_hints

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from tool_service.context import ToolContext
from tool_service.errors import INVALID_ARGUMENTS, ToolError

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _UntitledSchema(GenerateJsonSchema):
    """JSON Schema without the titles that pydantic derives from names: they cost tokens and say nothing new."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class ToolFunction:
    """One function that a model may call.

    `parameters` is the JSON Schema of the arguments, `timeout` in seconds. Raises TypeError for a function that cannot
    be one: not async, without a docstring, with a parameter that has no type, or with `*args`.
    """

    def __init__(
        self, function: Callable[..., Awaitable[object]], *, timeout: float, name: str | None, description: str | None
    ) -> None:
        self.name = name or function.__name__
        self.timeout = timeout
        self.description = description or _first_paragraph(function)
        if not _NAME.fullmatch(self.name):
            raise TypeError(f"{self.name!r} is no function name for a model: letters, digits, _ and -, at most 64")
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{self.name} must be an async function")
        if timeout <= 0:
            raise TypeError(f"{self.name} needs a time-out above 0 s")
        if not self.description:
            raise TypeError(f"{self.name} needs a docstring: it tells the model what the function does")
        self._function = function
        self._context_parameter, parameters = _parameters(self.name, function)
        # The fields have names of their own, so that a parameter may be called `schema` or `copy` (pydantic's words).
        self._names = {f"argument_{number}": name for number, name in enumerate(parameters)}
        self._optional = {name for name, (_, default) in parameters.items() if default is not ...}
        fields: dict[str, Any] = {
            field: (parameters[name][0], Field(default=parameters[name][1], alias=name))
            for field, name in self._names.items()
        }
        self._arguments: type[BaseModel] = create_model(
            "Arguments", __config__=ConfigDict(coerce_numbers_to_str=True, arbitrary_types_allowed=False), **fields
        )
        self.parameters = self._arguments.model_json_schema(schema_generator=_UntitledSchema)
        self.parameters.pop("title", None)
        self.parameters.setdefault("properties", {})

    async def call(self, arguments: str, context: ToolContext) -> str:
        """Call the function with the model's JSON text; return its result as text.

        A result that is no string is written as JSON. Raises ToolError (`invalid_arguments`) for arguments that do not
        fit, and whatever the function raises.
        """
        values = self._validated(arguments)
        if self._context_parameter is not None:
            values[self._context_parameter] = context
        result = await self._function(**values)
        return result if isinstance(result, str) else orjson.dumps(result, default=_plain).decode()

    def _validated(self, arguments: str) -> dict[str, object]:
        try:
            # A function without arguments is often called with no text at all.
            given = orjson.loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError as error:
            raise self._invalid(f"they are not valid JSON ({error})") from None
        if not isinstance(given, dict):
            raise self._invalid("they must be one JSON object")
        try:
            validated = self._arguments.model_validate(self._forgiving(given))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            told = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
            raise self._invalid(told) from None
        return {name: getattr(validated, field) for field, name in self._names.items()}

    def _forgiving(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Take what models write for what they mean: null for a default, and 51589.0 for 51589."""
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in given.items()
            if value is not None or name not in self._optional
        }

    def _invalid(self, told: str) -> ToolError:
        return ToolError(
            INVALID_ARGUMENTS,
            f"The arguments do not fit {self.name}: {told}. The function can be called again with corrected arguments.",
        )


def _first_paragraph(function: Callable[..., object]) -> str:
    paragraph = (inspect.getdoc(function) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def _parameters(name: str, function: Callable[..., object]) -> tuple[str | None, dict[str, tuple[Any, Any]]]:
    """Return the name of the context parameter, if any, and (type, default or ...) of each other one."""
    hints = get_type_hints(function, include_extras=True)
    context_parameter = None
    parameters = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}:
            raise TypeError(f"{name}: the parameter {parameter.name} must be one that can be given by name")
        if parameter.name not in hints:
            raise TypeError(f"{name}: the parameter {parameter.name} needs a type")
        if hints[parameter.name] is ToolContext:
            context_parameter = parameter.name
        else:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            parameters[parameter.name] = (hints[parameter.name], default)
    return context_parameter, parameters


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
