"""Tells what is missing where `run` and `up` are asked for and their packages are not installed.

The operator's image has the operator's commands alone: no services, no local servers, no simulators.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def local_part() -> Iterator[None]:
    """Import what belongs to the extra `local` inside; if it is not there, end with one line and exit code 2."""
    try:
        yield
    except ModuleNotFoundError as error:
        typer.echo(
            f"this installation has the operator's commands only ({error.name} is not installed): "
            "install threadworks[local]",
            err=True,
        )
        raise typer.Exit(2) from None
