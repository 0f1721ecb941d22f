"""`threadworks topics apply`: creates the Kafka topics that the contracts declare."""

import asyncio
from typing import Annotated

import typer
from event_bus.kafka_admin import ensure_topics
from message_contracts import catalogue
from service_process import KafkaConnection, load_settings

from threadworks.settings import LocalSettings

topics = typer.Typer(help="Kafka topics, as the contracts declare them.", no_args_is_help=True)


def declared_topics(tool_services: list[str]) -> list[catalogue.Topic]:
    """All topics of an installation with these tool services."""
    return [*catalogue.topics(), *(catalogue.tool_calls_topic(service) for service in tool_services)]


@topics.callback()
def about() -> None:
    """Keeps `apply` a sub-command while it is the only one."""


@topics.command()
def apply(
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each record; 3 for production.")] = 3,
    increase_partitions: Annotated[
        bool, typer.Option(help="Also grow existing topics, which loses the order of events under way.")
    ] = False,
) -> None:
    """Create missing topics and report how existing ones differ from their declaration."""
    settings, kafka = load_settings("threadworks topics", LocalSettings, KafkaConnection)
    report = asyncio.run(
        ensure_topics(
            kafka.kafka_settings("threadworks-topics"),
            declared_topics(settings.tool_service_names),
            replication_factor=replication_factor,
            increase_partitions=increase_partitions,
        )
    )
    for name in report.created:
        typer.echo(f"created {name}")
    for name in report.grown:
        typer.echo(f"grown {name}")
    for difference in report.differences:
        typer.echo(f"differs {difference}")
    if report.differences:
        raise typer.Exit(1)
    if not report.created and not report.grown:
        typer.echo("all topics are as declared")
