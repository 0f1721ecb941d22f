from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain import ids

numbers = st.integers(min_value=0, max_value=2**128 - 1).map(lambda value: UUID(int=value))
kinds = st.sampled_from(sorted(ids.PREFIXES))


@given(kinds, numbers)
def test_an_id_reads_back_as_its_number(kind: str, number: UUID) -> None:
    text = ids.render(kind, number)
    prefix = ids.PREFIXES[kind]
    assert text.startswith(prefix)
    assert len(text) == len(prefix) + 24
    assert text.removeprefix(prefix).isalnum()
    assert text.isascii()
    assert ids.read(kind, text) == number


def test_small_numbers_look_like_large_ones() -> None:
    rendered = [ids.render("run", UUID(int=value)) for value in range(3)]
    # Zero is zero whatever it is multiplied with; a UUIDv4 never is.
    assert rendered[0] == "run_" + "0" * 24
    assert len({text[4] for text in rendered}) > 1
    assert rendered[1].count("0") < 6


@pytest.mark.parametrize(
    "text",
    [
        "asst_moodleDemoAssistant00001",
        "run_",
        "run_" + "z" * 24,
        "thread_" + "0" * 24,
        "run_" + "0" * 23,
        "run_" + "0" * 25,
        "run_" + "-" * 24,
        "run_" + "ä" * 24,
    ],
)
def test_what_was_never_rendered_does_not_read(text: str) -> None:
    assert ids.read("run", text) is None


def test_the_demo_assistant_is_an_imported_id() -> None:
    assert ids.read("assistant", "asst_moodleDemoAssistant00001") is None


def test_rendering_is_fixed_for_ever() -> None:
    # Ids that were given out are read back with the same constant.
    assert ids.render("thread", UUID("12345678-1234-4234-8234-123456789abc")) == EXPECTED


EXPECTED = "thread_KXafXyGUGMbv1If3kadZ6GBA"
