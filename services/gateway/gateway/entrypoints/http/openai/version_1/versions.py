"""Both versions behind the same paths: the beta header of a request says whose handler answers. Used by `surface`."""

from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.endpoint import Handler, UnknownRoute
from gateway.entrypoints.http.exchange import Call, Headers, Reply, StreamReply, StreamStart
from gateway.entrypoints.http.idempotency import Join
from gateway.entrypoints.http.openai.beta_header import asks_for_version_1, asks_for_version_2
from gateway.entrypoints.http.openai.paths import Paths
from gateway.entrypoints.http.openai.version_1.translation import replied_in_version_1


def in_both_versions(paths_2: Paths, paths_1: Paths) -> Paths:
    """Return `paths_2` with the handlers of `paths_1` for whoever asks for version 1; those reply as version 2 does."""
    of_version_1 = dict(paths_1)
    return [
        (path, {method: _either(handler, of_version_1[path][method]) for method, handler in handlers.items()})
        for path, handlers in paths_2
    ]


def in_version_1_alone(paths: Paths) -> Paths:
    """Return paths that version 2 has no longer: there is nothing for who asks for version 2."""
    return [(path, {method: _alone(handler) for method, handler in handlers.items()}) for path, handlers in paths]


def version_of(headers: Headers) -> bytes:
    """Return what a request with these headers asks for, where it is not version 2."""
    return b"version 1" if asks_for_version_1(headers) else b""


def either_join(join_2: Join, join_1: Join) -> Join:
    """Return what joins a stream in the version that is asked for."""

    async def join(call: Call, start: StreamStart) -> StreamReply:
        return await (join_1 if asks_for_version_1(call.headers) else join_2)(call, start)

    return join


def _either(handler_2: Handler, handler_1: Handler) -> Handler:
    translated = replied_in_version_1(handler_1)

    async def handle(call: Call) -> Reply | BytesReply | StreamReply:
        return await (translated if asks_for_version_1(call.headers) else handler_2)(call)

    return handle


def _alone(handler: Handler) -> Handler:
    async def handle(call: Call) -> Reply | BytesReply | StreamReply:
        if asks_for_version_2(call.headers):
            raise UnknownRoute
        return await handler(call)

    return handle
