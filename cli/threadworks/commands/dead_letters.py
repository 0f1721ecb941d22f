"""`threadworks dead-letters`: the records that no service could handle, looked at and sent again."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from event_bus.dead_letters import DeadLetter
from event_bus.kafka_dead_letters import DeadLettersUnavailable, replay_letters
from event_bus.kafka_dead_letters import dead_letters as read_letters
from event_bus.kafka_settings import KafkaSettings
from observability import configure_logging
from service_process import KafkaConnection, load_settings

dead_letters = typer.Typer(help="Records that no service could handle.", no_args_is_help=True)

Result = TypeVar("Result")

TopicOption = Annotated[str | None, typer.Option(help="Only those that were on this topic.")]
ErrorOption = Annotated[str | None, typer.Option(help="Only those with this class of error, as `list` shows it.")]


@dead_letters.command(name="list")
def list_(
    topic: TopicOption = None,
    error: ErrorOption = None,
    replayed: Annotated[bool, typer.Option(help="Also those that were replayed already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for other programs.")] = False,
) -> None:
    """List them, oldest first: id, time, topic and offset, event type, service, error."""
    found = [letter for letter in _chosen(_kafka(), topic, error) if replayed or not letter.replayed]
    for letter in found:
        typer.echo(orjson.dumps(_facts(letter)).decode() if as_json else _line(letter))
    if not found and not as_json:
        typer.echo("there are no dead letters")


@dead_letters.command()
def show(letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]) -> None:
    """Show one with its headers and its payload, which may hold what users wrote."""
    letter = _one(_kafka(), letter_id)
    typer.echo(orjson.dumps(_facts(letter) | {"payload": _payload(letter)}, option=orjson.OPT_INDENT_2).decode())


@dead_letters.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="As `list` shows them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    topic: TopicOption = None,
    error: ErrorOption = None,
) -> None:
    """Send records to their topics again, as they were. Do so once the cause is mended: else they come back.

    Everyone who reads that topic gets them again. Repeating is harmless for our services, and has to be for others.
    """
    if bool(ids) == every:
        raise typer.BadParameter("name the ids, or say --all")
    kafka = _kafka()
    if ids:
        known = {letter.id: letter for letter in _chosen(kafka, topic, error)}
        missing = [each for each in ids if each not in known]
        if missing:
            _fail(f"there is no dead letter {missing[0]}")
        chosen = [known[each] for each in ids]
    else:
        chosen = [letter for letter in _chosen(kafka, topic, error) if not letter.replayed]
    _done(replay_letters(kafka, chosen))
    typer.echo(f"replayed {len(chosen)}")


def _kafka() -> KafkaSettings:
    (connection,) = load_settings("threadworks dead-letters", KafkaConnection)
    configure_logging("threadworks-dead-letters", "auto", "error")
    return connection.kafka_settings("threadworks-dead-letters")


def _chosen(kafka: KafkaSettings, topic: str | None, error: str | None) -> list[DeadLetter]:
    return [
        letter
        for letter in _done(read_letters(kafka))
        if topic in (None, letter.topic) and error in (None, letter.error_class)
    ]


def _one(kafka: KafkaSettings, letter_id: str) -> DeadLetter:
    found = [letter for letter in _chosen(kafka, None, None) if letter.id == letter_id]
    return found[0] if found else _fail(f"there is no dead letter {letter_id}")


def _done(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return asyncio.run(work)
    except DeadLettersUnavailable as error:
        _fail(str(error))


def _fail(reason: str) -> NoReturn:
    typer.echo(f"threadworks dead-letters: {reason}", err=True)
    raise typer.Exit(1)


def _line(letter: DeadLetter) -> str:
    why = letter.error_class if letter.reason is None else f"{letter.error_class}: {letter.reason}"
    place = f"{letter.topic}/{letter.partition}/{letter.offset}"
    again = " (replayed)" if letter.replayed else ""
    when = f"{letter.time:%Y-%m-%d %H:%M:%S}"
    line = f"{letter.id}  {when}  {place}  {letter.type or '?'}  {letter.service}  {why}{again}"
    # What others wrote must neither begin a line of its own nor speak to the terminal.
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "time": letter.time.isoformat(),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": None if letter.key is None else letter.key.decode(errors="replace"),
        "type": letter.type,
        "service": letter.service,
        "group": letter.group,
        "error_class": letter.error_class,
        "reason": letter.reason,
        "replayed": letter.replayed,
        "headers": {name: value.decode(errors="replace") for name, value in letter.headers},
    }


def _payload(letter: DeadLetter) -> Any:
    if letter.value is None:
        return None
    try:
        return orjson.loads(letter.value)
    except orjson.JSONDecodeError:
        return letter.value.decode(errors="replace")
