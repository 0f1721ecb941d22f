"""A gate in front of a PostgreSQL socket, for tests of what a process sees when the way to its database fails."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SOCKET = ".s.PGSQL.5432"


class Gate:
    """Passes bytes on while it is open. `url` leads through it."""

    def __init__(self, upstream: Path, directory: Path, database: str) -> None:
        self.url = f"postgresql://postgres@/{database}?host={directory}"
        self._upstream = upstream
        self._requests, self._replies = asyncio.Event(), asyncio.Event()
        self._last_words: bytes | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self.open()

    @property
    def passes_replies(self) -> bool:
        """Whether replies of the server are heard."""
        return self._replies.is_set()

    def open(self) -> None:
        """Everything passes again, what was held back included."""
        self._requests.set()
        self._replies.set()

    def freeze(self) -> None:
        """Nothing passes and nothing is closed: a network that drops packets, or a server that hangs."""
        self._requests.clear()
        self._replies.clear()

    def hold_replies(self) -> None:
        """The server hears everything and does it, and nobody hears of that."""
        self._replies.clear()

    def hold_replies_after(self, words: bytes) -> None:
        """The server hears the next request with these words, and all after it, and nobody hears of that."""
        self._last_words = words

    def cut(self) -> None:
        """Closes every connection. Replies that were held back are lost."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        server_reader, server_writer = await asyncio.open_unix_connection(self._upstream)
        self._writers += [writer, server_writer]
        for source, sink, gate in (
            (reader, server_writer, self._requests),
            (server_reader, writer, self._replies),
        ):
            heard = self._hear if gate is self._requests else None
            task = asyncio.create_task(_pump(source, sink, gate, heard))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    def _hear(self, data: bytes) -> None:
        if self._last_words is not None and self._last_words in data:
            self._last_words = None
            self.hold_replies()

    async def close(self) -> None:
        """Ends all that is left."""
        self.cut()
        for task in list(self._pumps):
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


async def _pump(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    gate: asyncio.Event,
    heard: Callable[[bytes], None] | None,
) -> None:
    try:
        while data := await source.read(65_536):
            if heard is not None:
                heard(data)
            await gate.wait()
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def gate_before(url: str) -> AsyncIterator[Gate]:
    """An open gate before the database of `url`, which names a socket's folder."""
    parts = urlsplit(url)
    upstream = Path(parse_qs(parts.query)["host"][0]) / SOCKET
    directory = Path(tempfile.mkdtemp(prefix="gate-"))
    gate = Gate(upstream, directory, parts.path.lstrip("/"))
    server = await asyncio.start_unix_server(gate.serve, directory / SOCKET)
    try:
        yield gate
    finally:
        server.close()
        await gate.close()
        await server.wait_closed()
        shutil.rmtree(directory)
