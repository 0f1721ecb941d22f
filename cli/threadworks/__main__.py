"""The `threadworks` command."""

import sys

import typer
from asyncpg import PostgresError
from event_bus.kafka_admin import TopicError
from event_bus.kafka_login import LoginRefused
from run_engine.errors import EngineError

from threadworks.commands.dead_letters import dead_letters
from threadworks.commands.keys import keys
from threadworks.commands.migrate import migrate
from threadworks.commands.run import run
from threadworks.commands.topics import topics
from threadworks.commands.up import up


def command() -> typer.Typer:
    """The command with all of its sub-commands."""
    application = typer.Typer(
        help="Threadworks: an open server for the Assistants API.", no_args_is_help=True, add_completion=False
    )
    application.command()(run)
    application.command()(up)
    application.command()(migrate)
    application.add_typer(topics, name="topics")
    application.add_typer(keys, name="keys")
    application.add_typer(dead_letters, name="dead-letters")
    return application


def main() -> None:
    """Entry point of the console script. What a command cannot do is said in one line, with exit code 1."""
    try:
        command()()
    except (EngineError, TopicError, PostgresError, ConnectionError) as error:
        sys.stderr.write(f"threadworks: {error}\n")
        raise SystemExit(1) from None
    except LoginRefused as refusal:
        check = f"THREADWORKS_KAFKA_{refusal.wrong.upper()}"
        if refusal.wrong == "sasl_password":
            check = f"THREADWORKS_KAFKA_SASL_USERNAME and {check}"
        sys.stderr.write(f"threadworks: Kafka does not let this process in: {refusal}; check {check}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
