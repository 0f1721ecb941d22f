"""uvicorn's HTTP protocol with one addition: the application may close the connection in the middle of a reply.

ASGI has no message for that, and a network or a server that fails is just what a client of a model must be tested with.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The name of the ASGI extension: scope["extensions"][CLOSE_CONNECTION]["close"]() closes.
CLOSE_CONNECTION = "threadworks.close_connection"


class ClosableHttp(HttpToolsProtocol):
    """Puts the closing of its transport into the scope of every request."""

    def on_message_begin(self) -> None:
        """Begin a request: called by the parser."""
        super().on_message_begin()
        # Not abort(): that would drop the part of the reply which is still in the buffer.
        self.scope["extensions"] = {CLOSE_CONNECTION: {"close": self.transport.close}}
