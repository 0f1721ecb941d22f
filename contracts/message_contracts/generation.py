"""Writes `models/` from the schemas, and tells when the two disagree. Called by `generate`, `check` and the tests.

The generator is datamodel-code-generator, a development tool: imported when it is needed, and no service needs it.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from message_contracts.models import model_name
from message_contracts.schemas import PACKAGE, Schema, SchemaSet, current

MODELS = PACKAGE / "models"
_HEADER = '"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""\n'
# What only validation needs, or what would make the generator invent a class for a mere narrowing.
_DROPPED = ("$schema", "$id", "allOf", "pattern", "x-extensible-enum", "x-max-bytes", "x-without-tenant")


def generated_models() -> dict[str, str]:
    """File name → text of each module under `models/`, one for each entity that messages are about.

    Raises ModuleNotFoundError where the development tools are not installed.
    """
    by_entity = groupby(sorted(current().messages), key=_entity)
    return {f"{entity.replace('-', '_')}.py": _module(list(types)) for entity, types in by_entity}


def write_models(folder: Path = MODELS) -> list[str]:
    """Write the models anew; returns the names of the files that changed. Removes modules no schema asks for."""
    wanted = generated_models()
    changed = [name for name, text in wanted.items() if _text(folder / name) != text]
    for name in changed:
        (folder / name).write_text(wanted[name], "utf-8")
    for path in _leftovers(folder, wanted):
        path.unlink()
        changed.append(path.name)
    return sorted(changed)


def drift(folder: Path = MODELS) -> list[str]:
    """One line for each module that the schemas would write differently."""
    wanted = generated_models()
    stale = [name for name, text in wanted.items() if _text(folder / name) != text]
    stale += [path.name for path in _leftovers(folder, wanted)]
    return [f"models/{name} does not agree with the schemas; run generate" for name in sorted(stale)]


def _leftovers(folder: Path, wanted: dict[str, str]) -> list[Path]:
    return [path for path in folder.glob("*.py") if path.name not in wanted and path.name != "__init__.py"]


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _entity(type_: str) -> str:
    return type_.split(".")[1]


def _module(types: list[str]) -> str:
    from datamodel_code_generator import InputFileType, generate  # noqa: PLC0415
    from datamodel_code_generator.enums import DataModelType  # noqa: PLC0415
    from datamodel_code_generator.format import Formatter, PythonVersion  # noqa: PLC0415

    text = generate(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": _bundle(types, current())},
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.TypingTypedDict,
        target_python_version=PythonVersion.PY_311,
        custom_file_header=_HEADER,
        formatters=[Formatter.BUILTIN],
        builtin_format_line_length=120,
        skip_root_model=True,
        keep_model_order=True,
        use_standard_collections=True,
        use_union_operator=True,
        use_double_quotes=True,
        use_schema_description=True,
        use_field_description=True,
        use_inline_field_description=True,
        use_single_line_docstring=True,
        disable_timestamp=True,
        strict_refs=True,
    )
    if not isinstance(text, str):
        raise TypeError("the generator wrote several modules where one was asked for")
    return f"{text.rstrip()}\n"


def _bundle(types: list[str], schemas: SchemaSet) -> dict[str, Schema]:
    """Everything one module needs under `$defs`, each object of the schemas as an entry with its final name."""
    bundle: dict[str, Schema] = {}
    for type_ in types:
        _add(model_name(type_), schemas.messages[type_], schemas, bundle)
    return bundle


def _add(name: str, schema: Schema, schemas: SchemaSet, bundle: dict[str, Schema]) -> None:
    entry: Schema = {}
    if bundle.setdefault(name, entry) is not entry:
        raise ValueError(f"two objects are titled so that both become {name}")
    major = f"V{name.rsplit('V', 1)[1]}"
    for keyword, value in schema.items():
        if keyword == "properties":
            entry[keyword] = {field: _named(part, major, schemas, bundle) for field, part in value.items()}
        elif keyword not in (*_DROPPED, "title"):
            entry[keyword] = value


def _named(part: Any, major: str, schemas: SchemaSet, bundle: dict[str, Schema]) -> Any:
    """The same schema with each object in it replaced by a reference to an entry of the bundle."""
    if isinstance(part, list):
        return [_named(item, major, schemas, bundle) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _reference(_definition(part["$ref"], schemas, bundle), part, nullable=False)
    if "properties" in part:
        name = f"{_camel(part['title'])}{major}"
        _add(name, {**part, "type": "object"}, schemas, bundle)
        return _reference(name, part, nullable="null" in part["type"])
    return {key: _named(value, major, schemas, bundle) for key, value in part.items() if key not in _DROPPED}


def _definition(reference: str, schemas: SchemaSet, bundle: dict[str, Schema]) -> str:
    *_, title, major = reference.split(":")
    name = f"{_camel(title)}{major.upper()}"
    if name not in bundle:
        _add(name, schemas.definitions[reference], schemas, bundle)
    return name


def _reference(name: str, part: Schema, *, nullable: bool) -> Schema:
    target: Schema = {"$ref": f"#/$defs/{name}"}
    described = {"description": part["description"]} if "description" in part else {}
    return {"anyOf": [target, {"type": "null"}], **described} if nullable else {**target, **described}


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.replace("-", " ").split())
