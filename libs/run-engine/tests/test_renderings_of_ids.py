from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain import ids, renderings

numbers = st.integers(min_value=0, max_value=2**128 - 1).map(lambda value: UUID(int=value))
kinds = st.sampled_from(sorted(ids.PREFIXES))


@given(numbers)
def test_a_short_rendering_reads_back_as_its_number(number: UUID) -> None:
    text = renderings.short(number)
    assert len(text) == 22
    assert text.isascii()
    assert text.isalnum()
    assert renderings.read_short(text) == number


@given(st.text(alphabet=ids.ALPHABET, min_size=22, max_size=22))
def test_a_short_text_that_reads_is_the_only_one_of_its_number(text: str) -> None:
    number = renderings.read_short(text)
    assert number is None or renderings.short(number) == text


@given(kinds, numbers)
def test_an_object_is_the_same_in_all_renderings(kind: str, number: UUID) -> None:
    short = renderings.short(number)
    again = renderings.read_short(short)
    assert again is not None
    assert ids.read(kind, ids.render(kind, again)) == number
    assert UUID(str(again)) == number


@pytest.mark.parametrize("text", ["", "z" * 22, "0" * 21, "0" * 23, "-" * 22, "ä" * 22, "٣" * 22])
def test_what_was_never_rendered_short_does_not_read(text: str) -> None:
    assert renderings.read_short(text) is None


def test_renderings_and_aliases_are_fixed_for_ever() -> None:
    # Ids that were given out are read back with the same constants.
    assert renderings.short(UUID("12345678-1234-4234-8234-123456789abc")) == SHORT
    assert renderings.alias_number("t", "thread", "thread_abc") == ALIAS


def test_small_numbers_do_not_look_it() -> None:
    rendered = [renderings.short(UUID(int=value)) for value in range(1, 4)]
    assert len({text[0] for text in rendered}) > 1
    assert all(text.count("0") < 6 for text in rendered)


@given(kinds)
def test_our_own_ids_have_a_number(kind: str) -> None:
    number = uuid4()
    assert renderings.number_of(kind, ids.render(kind, number)) == number


@given(st.text(), kinds, st.text(max_size=40))
def test_an_id_without_a_number_gets_one_that_is_like_no_number_of_ours(tenant: str, kind: str, text: str) -> None:
    assert renderings.number_of(kind, text) is None
    number = renderings.alias_number(tenant, kind, text)
    assert renderings.is_alias(number)
    assert not renderings.is_alias(uuid4())


def test_nobody_can_make_an_id_that_is_taken_for_another() -> None:
    number = renderings.alias_number("t", "thread", "thread_abc")
    forged = ids.render("thread", number)
    assert ids.read("thread", forged) == number
    assert renderings.number_of("thread", forged) is None
    assert renderings.alias_number("t", "thread", forged) != number


def test_one_id_stands_for_another_number_in_each_tenant_and_kind() -> None:
    named = [("a", "thread", "x"), ("b", "thread", "x"), ("a", "run", "x"), ("a", "threa", "dx"), ("at", "hread", "x")]
    assert len({renderings.alias_number(*each) for each in named}) == len(named)


SHORT = "L6NxMIbZWC98npEaI8zrLQ"
ALIAS = UUID("b0869d31-4205-553c-a6d4-a72086149add")
