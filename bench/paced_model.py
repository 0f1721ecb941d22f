"""A model that writes clock readings: each token is the moment at which it was sent, so a reader can tell its age.

`python bench/paced_model.py PORT`. The model name says how: `paced+tps=50+tokens=100`, tokens a second and in all. The
first token also holds the moment at which the request came. It does little else, to take little of the machine.
"""

import asyncio
import sys
import time

import orjson
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(payload: bytes) -> bytes:
    line = b"data: " + payload + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(line), line)


def _token(text: str) -> bytes:
    return _chunk(
        b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"paced","choices":[{"index":0,"delta":{"content":'
        + orjson.dumps(text)
        + b'},"finish_reason":null}]}'
    )


def _end(tokens: int) -> bytes:
    finish = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "paced"}
    usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
    return (
        _chunk(orjson.dumps(finish | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        + _chunk(orjson.dumps(finish | {"choices": [], "usage": usage}))
        + _chunk(b"[DONE]")
        + b"0\r\n\r\n"
    )


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            arrived = time.monotonic_ns()
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            wishes = dict(
                wish.split("=") for wish in orjson.loads(await reader.readexactly(length))["model"].split("+")[1:]
            )
            tokens, pace = int(wishes["tokens"]), 1 / float(wishes["tps"])
            writer.write(HEAD + _token(f"{arrived}/{time.monotonic_ns()} "))
            began = time.monotonic()
            for number in range(1, tokens):
                await asyncio.sleep(began + number * pace - time.monotonic())
                writer.write(_token(f"{time.monotonic_ns()} "))
            writer.write(_end(tokens))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
