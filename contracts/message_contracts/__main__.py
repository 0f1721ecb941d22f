"""`python -m message_contracts check | generate | release`: for developers and CI, from a checkout.

Exit code 0 when all is well, 1 with one line for each problem otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from message_contracts import asyncapi, examples, generation, releases, schema_rules
from message_contracts.compatibility import breaking_changes
from message_contracts.schemas import PACKAGE, SchemaSet, current

CHECKOUT = PACKAGE.parent
RELEASED = CHECKOUT / "released"


def problems(released: Path) -> list[str]:
    """Everything that is wrong with the contracts, one line each."""
    broken = list(schema_rules.broken_rules(current()))
    if broken:
        return broken  # what follows needs schemas that hold together
    told = [f"{example.name}: {told}" for example in examples.examples() if (told := examples.problem(example))]
    return [
        *examples.missing(),
        *told,
        *breaking_changes(SchemaSet(released), current()),
        *generation.drift(),
        *asyncapi.drift(),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m message_contracts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check", help="house rules, examples, compatibility with released/, drift of what is generated"
    )
    release = commands.add_parser("release", help="copy the schemas to released/, where they may no longer change")
    commands.add_parser("generate", help="write models/ and asyncapi.yaml from the schemas and topics")
    for command in (check, release):
        command.add_argument("--released", type=Path, default=RELEASED, help="folder of the released schemas")
    chosen = parser.parse_args(arguments)
    if not (CHECKOUT / "pyproject.toml").exists():
        return _report([f"{CHECKOUT} is no checkout of the contracts"], failed=True)
    if chosen.command == "generate":
        models = [f"models/{name}" for name in generation.write_models()]
        return _report(f"wrote {name}" for name in [*models, *asyncapi.write_document()])
    if chosen.command == "check" and not chosen.released.is_dir():
        return _report([f"{chosen.released}: no released schemas there to compare with"], failed=True)
    found = problems(chosen.released)
    if found:
        return _report(found, failed=True)
    if chosen.command == "release":
        return _report(f"released {name}" for name in releases.release(chosen.released))
    return _report([f"{len(current().messages)} message types: schemas, examples, compatibility and models agree"])


def _report(lines: Iterable[str], *, failed: bool = False) -> int:
    stream = sys.stderr if failed else sys.stdout
    stream.writelines(f"{line}\n" for line in lines)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
