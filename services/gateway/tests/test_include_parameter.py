"""`include[]`: what the API knows is accepted where it knows it, and adds nothing yet. Pure."""

from urllib.parse import quote

import pytest
from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.including import check_include

RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


@pytest.mark.parametrize("name", ["include[]", "include%5B%5D", "include"])
def test_what_the_api_knows_is_accepted(name: str) -> None:
    check_include(b"")
    check_include(b"limit=3&including=x&include[]=")
    check_include(f"{name}={RESULTS}".encode())
    check_include(f"limit=3&{name}={quote(RESULTS, safe='')}&{name}={RESULTS}".encode())


@pytest.mark.parametrize("name", ["include[]", "include%5B%5D", "include"])
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_include(f"{name}={RESULTS}&{name}=everything".encode())
    assert caught.value.message == f"Invalid value: 'everything'. Supported values are: '{RESULTS}'."
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, "include", "invalid_value")
