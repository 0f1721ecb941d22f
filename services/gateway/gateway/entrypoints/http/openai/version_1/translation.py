"""Between the two versions: request bodies on their way in, replies on their way out.

Called by `operations` and by `versions`.
"""

from typing import Any

import orjson

from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.endpoint import Handler
from gateway.entrypoints.http.exchange import Call, Reply, StreamReply
from gateway.entrypoints.http.openai.requests.fields import Body
from gateway.entrypoints.http.openai.requests.parsing import parse
from gateway.entrypoints.http.openai.version_1.presenters import in_version_1


async def call_of_version_2(call: Call, kind: type[Body]) -> Call:
    """Return the same request with its body as version 2 has it. Raises `Refusal` where it is no `kind`."""
    return with_body(call, as_version_2(await parse(call, kind)))


def as_version_2(body: Body) -> dict[str, Any]:
    """Return what version 2 would have been sent: what was given, translated by the models' own serializers."""
    return body.model_dump(exclude_unset=True, by_alias=True)


def with_body(call: Call, body: dict[str, Any]) -> Call:
    """Return the same request with another body."""
    # Its type has been looked at where there was a body; where there was none, it may say anything.
    headers = {**call.headers, b"content-type": b"application/json"}
    return call.bringing(orjson.dumps(body), headers)


def replied_in_version_1(handler: Handler) -> Handler:
    """Return a handler that replies what `handler` does, as version 1 has it.

    Streams are left as they are: `event_writer` has written them.
    """

    async def reply_in_version_1(call: Call) -> Reply | BytesReply | StreamReply:
        reply = await handler(call)
        if not isinstance(reply, Reply):
            return reply
        return reply._replace(body=orjson.dumps(in_version_1(orjson.loads(reply.body))))

    return reply_in_version_1
