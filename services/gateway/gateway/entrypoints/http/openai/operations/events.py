"""The event feed of the key's tenant: what has happened to its messages and runs, as it happens and from any place."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.application.event_feed.feed import EventFeed
from gateway.application.event_feed.interests import Interest, UnknownType, named
from gateway.application.event_feed.places import UnknownPlace
from gateway.application.event_feed.ports import Place
from gateway.entrypoints.http.exchange import Call, Headers, StreamReply, StreamStart
from gateway.entrypoints.http.openai.refusals import Refusal, clip
from gateway.entrypoints.http.openai.requests.path_ids import is_id
from gateway.entrypoints.http.openai.requests.wording import choices
from gateway.entrypoints.http.openai.streaming.feed_stream import FeedStream

# It is no stream of a run, and no request with an idempotency key that could be repeated begins it.
_OF_NO_RUN: Final = StreamStart("", "", "")

TenantOf = Callable[[Headers], Awaitable[str]]


class EventOperations:
    """The handler for `/v1/events`. `tenant_of` tells who calls, and refuses keys that are not good."""

    def __init__(self, feed: EventFeed, tenant_of: TenantOf) -> None:
        self._feed = feed
        self._tenant_of = tenant_of

    async def stream(self, call: Call) -> StreamReply:
        """GET /events. Goes on behind Last-Event-ID, or begins with what happens from now on; it never ends itself."""
        query = parse_qsl(call.query.decode("latin-1"))
        interest = Interest(call.tenant_id, self._types(query), _thread(query))
        last = call.headers.get(b"last-event-id", b"").decode("latin-1").strip()
        last = last or next((value for name, value in reversed(query) if name == "last_event_id"), "")
        await self._feed.places.ready()
        after = self._place(call.tenant_id, last) if last else None
        reading = self._feed.subscribe(interest, after)

        async def still_good() -> Any:
            return await self._tenant_of(call.headers)

        return StreamReply(FeedStream(self._feed, interest, reading, still_good), _OF_NO_RUN)

    def _types(self, query: list[tuple[str, str]]) -> frozenset[str] | None:
        try:
            return named((value for name, value in query if name in ("type", "type[]")), self._feed.types)
        except UnknownType as error:
            supported = choices(sorted(self._feed.types), "and")
            raise Refusal(
                400,
                f"Invalid value: '{clip(error.name, 128)}'. Supported values are: {supported}, their names as "
                "'run.completed', and 'run.*' for all events of runs.",
                param="type",
                code="invalid_value",
            ) from None

    def _place(self, tenant_id: str, text: str) -> Place:
        try:
            return self._feed.places.unseal(tenant_id, text)
        except UnknownPlace:
            raise Refusal(
                400,
                "Invalid 'last_event_id': expected the id of an event that you were sent by this feed, "
                f"but got '{clip(text, 128)}' instead.",
                param="last_event_id",
                code="invalid_value",
            ) from None


def _thread(query: list[tuple[str, str]]) -> str | None:
    given = next((value for name, value in reversed(query) if name == "thread_id"), None)
    if given is not None and not is_id(given):
        raise Refusal(
            400,
            f"Invalid 'thread_id': expected the id of a thread, but got '{clip(given, 128)}' instead.",
            param="thread_id",
            code="invalid_value",
        )
    return given
