"""That the suites see what a client would not: replies of a real installation, changed on their way to the SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conformance.field_facts import FieldFacts
from installation import Installation
from openai import OpenAI
from recording_proxy import RecordingProxy
from threadworks import demo

MESSAGES: Any = {"messages": [{"role": "user", "content": "hello"}]}


@contextmanager
def doctored(installation: Installation, old: bytes, new: bytes) -> Iterator[tuple[OpenAI, RecordingProxy]]:
    proxy = RecordingProxy(installation.url, FieldFacts(), doctor=lambda content: content.replace(old, new))
    proxy.start()
    try:
        with OpenAI(base_url=proxy.url, api_key=demo.KEY, max_retries=0) as client:
            yield client, proxy
    finally:
        proxy.stop()


def test_nothing_is_found_where_nothing_is_changed(installation: Installation) -> None:
    with doctored(installation, b"", b"") as (client, proxy):
        run = client.beta.threads.create_and_run_poll(assistant_id=demo.ASSISTANT, thread=MESSAGES)
        assert len(client.beta.threads.messages.list(run.thread_id).data) == 2
        proxy.settle()
        assert proxy.problems == []
        assert len(proxy.facts.operations) == 3


@pytest.mark.parametrize("key", ["usage", "incomplete_details", "max_prompt_tokens", "truncation_strategy", "tools"])
def test_a_key_that_is_missing_is_found(installation: Installation, key: str) -> None:
    with doctored(installation, f'"{key}":'.encode(), b'"other":') as (client, proxy):
        client.beta.threads.create_and_run(assistant_id=demo.ASSISTANT, thread=MESSAGES)
        proxy.settle()
        assert [each.rpartition(": ")[2] for each in proxy.problems] == [f'"{key}" is a required property']


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b'"object":"thread.message.delta"', b'"object":"delta"', "thread.message.delta"),
        (b'"incomplete_details":null', b'"incomplete":null', '"incomplete_details" is a required property'),
        (b'"annotations":[]', b'"annotation":[]', "thread.message.completed: MessageObject.content.0"),
        (b"event: thread.run.in_progress\n", b"event: thread.run.queued\n", "the run is queued after it was queued"),
        (b"id: run_", b"id: r", "has an id of run r"),
        (b"data: [DONE]", b'data: "[DONE]"', "done with"),
    ],
)
def test_an_event_that_is_changed_is_found(installation: Installation, old: bytes, new: bytes, found: str) -> None:
    with doctored(installation, old, new) as (client, proxy):
        stream = client.beta.threads.create_and_run(assistant_id=demo.ASSISTANT, thread=MESSAGES, stream=True)
        names = [each.event for each in stream]
        assert names[0] == "thread.created"
        proxy.settle()
        assert any(found in each for each in proxy.problems), proxy.problems
