"""Reads multipart/form-data as it arrives: never more of it is held than the server hands out at once.

Used by operations that take uploads. The parts come in the order in which the client sends them, and the content of one
has to be taken before the next one is asked for; what is not taken is passed over.
"""

import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect
from starlette.types import Receive

MOST_PARTS: Final = 64
LONGEST_FIELD: Final = 4096
"""Bytes of a part that is no file; what forms of the API hold is far shorter."""

_SILENT: Final = logging.getLogger(f"{__name__}.parser")
_SILENT.disabled = True
"""What the parser would say of a malformed body quotes it; the client is told what is wrong."""


class NotMultipart(Exception):
    """The request says that its body is something else."""


class Malformed(Exception):
    """The body is no form, or not a whole one. The text tells what is wrong with it, and may be shown."""


@dataclass(slots=True)
class _Head:
    """The headers of a part, as they come."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""


class _End:
    """The end of a part, or of the form."""


_PART_END: Final = _End()
_FORM_END: Final = _End()
_Event: TypeAlias = "_Head | bytes | _End"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form. `filename` is None for what is no file; as the client sent it, so not to be trusted."""

    name: str
    filename: str | None
    pieces: AsyncIterator[bytes]
    """Its content, in pieces as they arrive."""

    async def text(self) -> str:
        """Return the content of a short part. Raises `Malformed`."""
        content = bytearray()
        async for piece in self.pieces:
            content += piece
            if len(content) > LONGEST_FIELD:
                raise Malformed(f"the field '{self.name[:64]}' is longer than {LONGEST_FIELD} bytes")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise Malformed(f"the field '{self.name[:64]}' is not UTF-8") from None


class Form:
    """The form that a request brings. Raises `NotMultipart` where its type is another one."""

    def __init__(self, content_type: bytes, receive: Receive) -> None:
        kind, options = parse_options_header(content_type)
        if kind.strip() != b"multipart/form-data" or not options.get(b"boundary"):
            raise NotMultipart
        self._receive = receive
        self._events: deque[_Event] = deque()
        self._head = _Head()
        self._more = True
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._name,
                    "on_header_value": self._value,
                    "on_header_end": self._header,
                    "on_headers_finished": self._headers,
                    "on_part_data": self._data,
                    "on_part_end": lambda: self._events.append(_PART_END),
                    "on_end": lambda: self._events.append(_FORM_END),
                },
            )
        except FormParserError as error:
            raise NotMultipart from error
        self._parser.logger = _SILENT

    async def parts(self) -> AsyncIterator[Part]:
        """Give the parts in order. Raises `Malformed`, and `ClientDisconnect` when the client went away."""
        count = 0
        while True:
            event = await self._event()
            if event is _FORM_END:
                return
            if isinstance(event, _Head):
                count += 1
                if count > MOST_PARTS:
                    raise Malformed(f"it has more than {MOST_PARTS} parts")
                yield self._part(event)

    def _part(self, head: _Head) -> Part:
        kind, options = parse_options_header(head.values.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise Malformed("a part has no name")
        filename = options.get(b"filename")
        return Part(
            options[b"name"].decode(errors="replace"),
            None if filename is None else filename.decode(errors="replace"),
            self._pieces(),
        )

    async def _pieces(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._event(), bytes):
            yield event
        if event is not _PART_END:
            raise Malformed("a part has no end")

    async def _event(self) -> _Event:
        while not self._events:
            if not self._more:
                raise Malformed("it ends before its last boundary")
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            self._more = message.get("more_body", False)
            try:
                self._parser.write(message.get("body", b""))
            except FormParserError:
                raise Malformed("its parts cannot be told apart") from None
        return self._events.popleft()

    def _begin(self) -> None:
        self._head = _Head()

    def _name(self, data: bytes, start: int, end: int) -> None:
        self._head.name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._head.value += data[start:end]

    def _header(self) -> None:
        head = self._head
        head.values[head.name.lower()] = head.value
        head.name = head.value = b""

    def _headers(self) -> None:
        self._events.append(self._head)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])
