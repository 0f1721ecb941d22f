"""Places of the event feed as subscribers carry them, and the filters of types. Pure."""

import pytest
from gateway.adapters.event_log import public_topics
from gateway.application.event_feed.interests import UnknownType, named
from gateway.application.event_feed.places import SealedPlaces, UnknownPlace
from gateway.application.event_feed.ports import Place
from hypothesis import given
from hypothesis import strategies as st

TOPICS = ("threadworks.messages.v1", "threadworks.run-events.v1")
PUBLIC = {type_ for topic in public_topics() for type_ in topic.message_types}


class Secret:
    def __init__(self, letter: bytes = b"k") -> None:
        self._letter = letter

    async def feed_key(self) -> bytes:
        return self._letter * 32


async def sealed(letter: bytes = b"k", topics: tuple[str, ...] = TOPICS) -> SealedPlaces:
    places = SealedPlaces(Secret(letter), topics)
    await places.ready()
    return places


def place(*offsets: int) -> Place:
    return {(topic, number): at for topic in TOPICS for number, at in enumerate(offsets)}


def test_the_public_topics_are_those_of_messages_and_run_events() -> None:
    assert tuple(sorted(topic.name for topic in public_topics())) == TOPICS


async def test_a_place_comes_back_as_it_was() -> None:
    places = await sealed()
    for offsets in [(), (0,), (0, 7, 2**40), tuple(range(12))]:
        text = places.seal("ada", place(*offsets))
        assert places.unseal("ada", text) == place(*offsets)
        assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(places.seal("ada", place(*range(12)))) == 242


async def test_it_says_nothing_of_how_much_has_happened() -> None:
    places = await sealed()
    texts = [places.seal("ada", place(*[at] * 12)) for at in (0, 1, 1, 2**47)]
    assert len({len(text) for text in texts}) == 1
    assert len(set(texts)) == 4


async def test_another_tenants_or_another_installations_is_refused() -> None:
    text = (await sealed()).seal("ada", place(1, 2))
    with pytest.raises(UnknownPlace):
        (await sealed()).unseal("bob", text)
    with pytest.raises(UnknownPlace):
        (await sealed(b"x")).unseal("ada", text)


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
async def test_no_other_text_is_a_place(text: str) -> None:
    places = await sealed()
    with pytest.raises(UnknownPlace):
        places.unseal("ada", text)


async def test_every_change_of_a_place_is_noticed() -> None:
    places = await sealed()
    text = places.seal("ada", place(1))
    for at in range(len(text)):
        for letter in "Aa0-":
            if letter != text[at]:
                with pytest.raises(UnknownPlace):
                    places.unseal("ada", text[:at] + letter + text[at + 1 :])


async def test_topics_come_and_go_between_versions() -> None:
    """A place that an older or a newer gateway has sealed is good, as far as it goes."""
    one = await sealed(topics=TOPICS[:1])
    assert (await sealed()).unseal("ada", one.seal("ada", {(TOPICS[0], 0): 5})) == {(TOPICS[0], 0): 5}
    assert one.unseal("ada", (await sealed()).seal("ada", place(5))) == {(TOPICS[0], 0): 5}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], None),
        (["run.queued"], {"threadworks.run.queued.v1"}),
        (["threadworks.run.queued.v1"], {"threadworks.run.queued.v1"}),
        (["threadworks.run.queued"], {"threadworks.run.queued.v1"}),
        (["message.*"], {type_ for type_ in PUBLIC if type_.startswith("threadworks.message.")}),
        (["run.*"], {type_ for type_ in PUBLIC if type_.startswith("threadworks.run.")}),
        (["threadworks.run-step.*"], {type_ for type_ in PUBLIC if type_.startswith("threadworks.run-step.")}),
        (["run.queued", "run.failed"], {"threadworks.run.queued.v1", "threadworks.run.failed.v1"}),
    ],
)
def test_filters(filters: list[str], found: set[str] | None) -> None:
    assert named(filters, PUBLIC) == found


@pytest.mark.parametrize(
    "text", ["", "*", "run", "run.", ".queued", "run.*.v1", "run.queued.v2", "run.requested", "RUN.*"]
)
def test_filters_that_name_nothing(text: str) -> None:
    with pytest.raises(UnknownType) as raised:
        named(["run.queued", text], PUBLIC)
    assert raised.value.name == text
