"""Real calls of the model's SDK and of httpx, at debug level, leave no credential and no payload in the output."""

import asyncio
import os
import sys

PROGRAM = """
import asyncio, logging
import httpx, openai, structlog
from observability import EmbeddedServer, configure_logging, register_secret

configure_logging("probe", "json", "debug")
log = structlog.get_logger("probe")
MODEL_KEY, MOODLE_TOKEN = "model" + "-key-of-no-known-form", "0123456789" + "abcdef0123456789"
register_secret(MODEL_KEY)

async def refuse(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"application/json")]})
    text = b'{"error": {"message": "Incorrect API key provided: ' + MODEL_KEY.encode() + b'"}}'
    await send({"type": "http.response.body", "body": text})

async def main():
    asyncio.get_running_loop().set_debug(True)
    server = EmbeddedServer(refuse, host="127.0.0.1", port=0)
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    async with openai.AsyncOpenAI(base_url=base + "/v1", api_key=MODEL_KEY, max_retries=0) as model:
        try:
            await model.chat.completions.create(model="m", messages=[{"role": "user", "content": "the " + "payload"}])
        except openai.AuthenticationError as error:
            log.exception("the model refused", action="model_refused", error=error, body=error.body)
    async with httpx.AsyncClient() as http:
        form = {"wstoken": MOODLE_TOKEN, "text": "the " + "payload"}
        await http.post(f"{base}/?wstoken={MOODLE_TOKEN}", data=form, headers={"authorization": "Bearer " + MODEL_KEY})
    log.debug("debug is on", action="done", sent=form)
    await server.stop()

asyncio.run(main())
"""


async def test_at_debug_level_no_credential_and_no_payload_is_written() -> None:
    # Also the SDK's own switch for verbose logs is on, as a developer may leave it in the environment.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env={**os.environ, "OPENAI_LOG": "debug"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert "debug is on" in text, text
    assert "the model refused" in text, text
    assert "model-key-of-no-known-form" not in text
    assert "0123456789abcdef" not in text
    assert "wstoken=0" not in text
    assert text.count("the payload") == 1, "only the event that logs the form itself may show it"
