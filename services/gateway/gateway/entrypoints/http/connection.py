"""One connection: from bytes to requests, with what uvicorn's protocol lacks against clients that cannot be relied on.

* A head has a largest size. uvicorn collects whatever comes before it knows who sends it.
* Whoever owes us bytes, and sends none for a while, is let go. uvicorn waits for ever for the rest of a head or a body.
* Whoever is owed bytes, and takes none for a while, is let go. uvicorn waits for ever for room to write.
* An offer to go on in another protocol is passed by, but for a websocket's where there are any. uvicorn passes it by
  too, but loses the body of the request that makes it: Java's HttpClient offers HTTP/2 with its first request.

Made by `server`, once for each connection.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.entrypoints.http.exchange import Reply

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of a request line and its headers. Clients send one to three thousand; most servers take 8 to 64 KiB."""


class Connection(HttpToolsProtocol):
    """Serves one client. `connection_type` fills in what is left open here."""

    malformed: bytes
    """The whole reply to what is not HTTP."""
    head_too_large: bytes
    """The whole reply to a head above the limit."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._in_head = True
        self._inside_one_head = True
        self._unfinished_head = 0
        self._head = 0
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has come: its first head is waited for."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Instead of uvicorn's, which stops waiting with the first byte, and knows neither limit nor way back."""
        self._inside_one_head = self._in_head
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            too_large = isinstance(error.__context__, _HeadTooLarge)
            self._refuse(self.head_too_large if too_large else self.malformed)
            return
        # A value is handed out when it is complete, so until then only the bytes can be counted; of what came with the
        # end of another request, none are.
        self._unfinished_head = self._unfinished_head + len(data) if self._inside_one_head else 0
        if self._unfinished_head > LARGEST_HEAD:
            self._refuse(self.head_too_large)
        elif not self._in_head:
            self._wait()

    def pause_writing(self) -> None:
        """The client takes no more for the moment."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        self._forget_unread()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was let go."""
        self._forget_unread()
        super().connection_lost(exc)

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self.parser.get_method() == b"CONNECT":
                    return
                if self._should_upgrade():
                    self._become_websocket()
                    return
                # The parser takes what follows for the other protocol: a new one starts again, without the offer.
                (rest,) = upgrade.args
                data = self._head_without_offer() + data[rest:]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _become_websocket(self) -> None:
        # What is waited for is up to the other protocol from now on.
        self._unset_keepalive_if_required()
        self._forget_unread()
        self.handle_websocket_upgrade()

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the URL, as it comes. Raises what the parser stops at."""
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header. Raises what the parser stops at."""
        self._measure(len(name) + len(value) + 4)
        super().on_header(name, value)

    def _measure(self, more: int) -> None:
        self._head += more
        if self._head > LARGEST_HEAD:
            raise _HeadTooLarge

    def on_headers_complete(self) -> None:
        """The head has ended: the request begins, unless it has to be read again without its offer."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            if self._should_upgrade():
                super().on_headers_complete()
            return
        self._in_head = self._inside_one_head = False
        self._unset_keepalive_if_required()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body has ended; of a head that is read again there was none."""
        if self._in_head:
            return
        self._in_head = True
        if not self.cycle.response_complete:
            self._unset_keepalive_if_required()
        super().on_message_complete()

    def _wait(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _refuse(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)
            self.transport.close()


class _HeadTooLarge(Exception):
    """More than LARGEST_HEAD bytes."""


def connection_type(*, malformed: Reply, head_too_large: Reply) -> type[Connection]:
    """Return what uvicorn makes for each connection, with a dialect's words."""

    class Worded(Connection):
        pass

    Worded.malformed, Worded.head_too_large = _whole(malformed), _whole(head_too_large)
    return Worded


def _whole(reply: Reply) -> bytes:
    lines = [
        b"HTTP/1.1 %d %s" % (reply.status, HTTPStatus(reply.status).phrase.encode()),
        b"content-type: application/json",
        b"content-length: %d" % len(reply.body),
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", reply.body])
