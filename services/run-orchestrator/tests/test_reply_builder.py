"""A reply is the same however the stream cuts it, and holds nothing that cannot be stored."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.objects import Usage
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.reply import LONGEST_REPLY, CallPiece, FunctionCall, Piece, Reply, ReplyBuilder

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)


def ids() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"call_{next(numbers)}"


def built(*pieces: Piece) -> Reply:
    builder = ReplyBuilder(ids())
    for piece in pieces:
        builder.add(piece)
    return builder.end()


def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[start:end] for start, end in itertools.pairwise([0, *places, len(text)])]


@st.composite
def streams(draw: st.DrawFn) -> tuple[Reply, list[Piece]]:
    """A reply, and one of the ways in which it can be streamed: pieces of different things in any interleaving."""
    text, refusal = draw(TEXT), draw(TEXT)
    calls = draw(st.lists(st.tuples(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), TEXT), max_size=4))
    queues = [
        [Piece(text=part) for part in cut(draw, text)],
        [Piece(refusal=part) for part in cut(draw, refusal)],
    ]
    for place, (name, arguments) in enumerate(calls):
        first = CallPiece(place, f"given_{place}", name, "")
        rest = [CallPiece(place, arguments=part) for part in cut(draw, arguments)]
        queues.append([Piece(calls=(piece,)) for piece in (first, *rest)])
    # A call begins where the ones before it have begun; otherwise everything may come in any order.
    pieces = [queue.pop(0) for queue in queues[2:]]
    while queue := draw(st.sampled_from(filled)) if (filled := [queue for queue in queues if queue]) else None:
        pieces.append(queue.pop(0))
    usage = Usage(prompt_tokens=draw(st.integers(0, 99)), completion_tokens=draw(st.integers(0, 99)))
    pieces.append(Piece(finish_reason="stop"))
    pieces.append(Piece(usage=usage))
    whole = tuple(FunctionCall(f"call_{place}", name, arguments) for place, (name, arguments) in enumerate(calls))
    return Reply(text, refusal, whole, "stop", usage), pieces


@given(streams())
def test_any_cutting_gives_the_same_reply(stream: tuple[Reply, list[Piece]]) -> None:
    reply, pieces = stream
    assert built(*pieces) == reply


@given(streams())
def test_pieces_of_one_chunk_count_like_pieces_of_many(stream: tuple[Reply, list[Piece]]) -> None:
    reply, pieces = stream
    merged = Piece(calls=tuple(call for piece in pieces for call in piece.calls))
    assert built(merged).calls == reply.calls


def test_ids_of_calls_are_ours_and_made_once_a_call() -> None:
    reply = built(
        Piece(calls=(CallPiece(0, "same", "f", "{"),)),
        Piece(calls=(CallPiece(1, "same", "g", "{}"),)),
        Piece(calls=(CallPiece(0, None, None, "}"),)),
    )
    assert reply.calls == (FunctionCall("call_0", "f", "{}"), FunctionCall("call_1", "g", "{}"))


def test_servers_that_repeat_id_and_name_in_every_chunk() -> None:
    reply = built(
        Piece(calls=(CallPiece(0, "a", "lookup", '{"x"'),)),
        Piece(calls=(CallPiece(0, "a", "lookup", ": 1}"),)),
    )
    assert reply.calls == (FunctionCall("call_0", "lookup", '{"x": 1}'),)


def test_servers_that_give_every_call_the_index_0() -> None:
    reply = built(
        Piece(calls=(CallPiece(0, "a", "f", "{}"),)),
        Piece(calls=(CallPiece(0, "b", "f", '{"x": 1}'),)),
    )
    assert [call.arguments for call in reply.calls] == ["{}", '{"x": 1}']


def test_servers_that_give_no_index() -> None:
    reply = built(
        Piece(calls=(CallPiece(None, "a", "f", "{"),)),
        Piece(calls=(CallPiece(None, None, None, "}"),)),
        Piece(calls=(CallPiece(None, "b", "g", "{}"),)),
    )
    assert [(call.name, call.arguments) for call in reply.calls] == [("f", "{}"), ("g", "{}")]


def test_a_name_may_come_in_pieces() -> None:
    reply = built(Piece(calls=(CallPiece(0, "a", "look"),)), Piece(calls=(CallPiece(0, None, "up", "{}"),)))
    assert reply.calls[0].name == "lookup"


def test_halves_of_a_character_find_each_other_over_chunks() -> None:
    assert built(Piece(text="\ud83d"), Piece(text="\ude00!")).text == "😀!"


def test_what_cannot_be_stored_is_replaced() -> None:
    reply = built(Piece(text="a\x00b\ud83d"), Piece(calls=(CallPiece(0, "a", "f\x00", "\x00"),)))
    assert reply.text == "a\ufffdb\ufffd"
    assert reply.calls[0].name == "f\ufffd"
    assert reply.calls[0].arguments == "\ufffd"


def test_an_empty_stream_is_an_empty_reply() -> None:
    assert built() == Reply("", "", (), None, Usage())


@pytest.mark.parametrize(
    "piece",
    [Piece(text="x" * 1_000_000), Piece(calls=(CallPiece(0, "a", "f", "x" * 1_000_000),))],
    ids=["text", "call"],
)
def test_a_reply_without_end_is_stopped(piece: Piece) -> None:
    builder = ReplyBuilder(ids())
    with pytest.raises(ModelFailure) as caught:
        for _ in range(LONGEST_REPLY // 1_000_000 + 1):
            builder.add(piece)
    assert caught.value.kind is FailureKind.UNUSABLE_REPLY
