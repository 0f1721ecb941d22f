"""The client against the simulator over real HTTP: what it sends, when it tries again, when it gives up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from moodle_simulator import DEMO_TOKEN, MoodleSimulator, Recordings, token_of
from moodle_tool.adapters.metrics import MoodleMeter
from moodle_tool.adapters.moodle_client import MoodleClient
from moodle_tool.application.errors import MoodleError
from observability import Meters
from pydantic import SecretStr

RECORDINGS = Recordings.load()
CONTENTS = "core_course_get_contents"
PATIENT = 30.0


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator(recordings=RECORDINGS)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def moodle(running: MoodleSimulator) -> MoodleSimulator:
    await running.script.reset()
    return running


def client(
    base_url: str,
    *,
    token: str = DEMO_TOKEN,
    request_timeout: float = PATIENT,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> MoodleClient:
    async def no_pause(_seconds: float) -> None:
        pass

    return MoodleClient(
        base_url=base_url,
        token=SecretStr(token),
        request_timeout=request_timeout,
        meter=MoodleMeter(Meters()),
        sleep=sleep or no_pause,
    )


async def refused(moodle: MoodleClient, course_id: int = 51589, time_left: float = PATIENT) -> MoodleError:
    async with moodle:
        with pytest.raises(MoodleError) as caught:
            await moodle.read(course_id, time_left=time_left)
    return caught.value


async def test_a_course_is_read(moodle: MoodleSimulator) -> None:
    async with client(moodle.base_url + "/") as reader:
        course = await reader.read(51589, time_left=PATIENT)
    assert course.sections[1].name == "25.10. 09-15 Uhr, WH Gebäude C 406"
    assert course.address == "https://moodle.example/course/view.php?id=51589"


@pytest.mark.parametrize(
    ("token", "course_id", "code"),
    [
        (DEMO_TOKEN, 99999999, "course_not_found"),
        (DEMO_TOKEN, 52110, "course_not_accessible"),
        (token_of("student1"), 52003, "course_not_accessible"),
        (token_of("student1"), 49877, "course_not_accessible"),
        ("0" * 32, 51589, "moodle_token_invalid"),
        (token_of("student1_siteinfo_only"), 51589, "moodle_access_refused"),
    ],
)
async def test_refusals_are_not_tried_again(moodle: MoodleSimulator, token: str, course_id: int, code: str) -> None:
    error = await refused(client(moodle.base_url, token=token), course_id)
    assert error.code == code
    assert moodle.script.calls[CONTENTS] == 1


@pytest.mark.parametrize("failure", ["err_php_fatal_http500", "err_database_down", "err_database_read_timeout"])
async def test_a_failure_that_may_pass_is_tried_again(moodle: MoodleSimulator, failure: str) -> None:
    moodle.script.fail_next(2, f"{CONTENTS}/{failure}")
    async with client(moodle.base_url) as reader:
        assert (await reader.read(51589, time_left=PATIENT)).sections
    assert moodle.script.calls[CONTENTS] == 3


async def test_after_three_attempts_it_gives_up(moodle: MoodleSimulator) -> None:
    moodle.script.fail_next(9, f"{CONTENTS}/err_php_fatal_http500")
    assert (await refused(client(moodle.base_url))).code == "moodle_server_error"
    assert moodle.script.calls[CONTENTS] == 3


async def test_the_pauses_between_attempts_grow(moodle: MoodleSimulator) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    moodle.script.fail_next(9, f"{CONTENTS}/err_database_down")
    await refused(client(moodle.base_url, sleep=note))
    assert [round(pause, 2) for pause in pauses] == [pytest.approx(0.2, rel=0.3), pytest.approx(0.8, rel=0.3)]


async def test_retry_after_beyond_the_deadline_is_not_waited_for(moodle: MoodleSimulator) -> None:
    moodle.script.fail_next(1, f"{CONTENTS}/err_maintenance_cli_http503")
    assert (await refused(client(moodle.base_url))).code == "moodle_maintenance"
    assert moodle.script.calls[CONTENTS] == 1


async def test_retry_after_within_the_deadline_is_respected(moodle: MoodleSimulator) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    moodle.script.fail_next(1, f"{CONTENTS}/err_maintenance_cli_http503")
    async with client(moodle.base_url, sleep=note) as reader:
        assert (await reader.read(51589, time_left=400)).sections
    assert pauses == [300.0]


async def test_a_pause_that_does_not_fit_into_the_time_left_is_not_begun(moodle: MoodleSimulator) -> None:
    moodle.script.fail_next(9, f"{CONTENTS}/err_php_fatal_http500")
    error = await refused(client(moodle.base_url, sleep=asyncio.sleep), time_left=0.2)
    assert error.code == "moodle_server_error"
    assert moodle.script.calls[CONTENTS] == 1


async def test_a_silent_moodle_is_given_up_when_the_time_is_over(moodle: MoodleSimulator) -> None:
    moodle.script.hold()
    error = await asyncio.wait_for(refused(client(moodle.base_url), time_left=0.3), 10)
    assert error.code == "moodle_timeout"


async def test_one_slow_attempt_does_not_use_up_the_whole_time(moodle: MoodleSimulator) -> None:
    moodle.script.hold()

    async def release(_seconds: float) -> None:
        await moodle.script.release()

    async with client(moodle.base_url, request_timeout=0.2, sleep=release) as reader:
        assert (await reader.read(51589, time_left=PATIENT)).sections
    assert moodle.script.calls[CONTENTS] == 2


async def test_no_time_left_means_no_call(moodle: MoodleSimulator) -> None:
    assert (await refused(client(moodle.base_url), time_left=0.0)).code == "moodle_timeout"
    assert moodle.script.calls[CONTENTS] == 0


async def test_an_address_where_nobody_listens() -> None:
    simulator = MoodleSimulator(recordings=RECORDINGS)
    await simulator.start()
    await simulator.stop()
    error = await refused(client(simulator.base_url))
    assert error.code == "moodle_unreachable"


Answer = Callable[[bytes], bytes]


async def raw_server(answer: Answer, requests: list[bytes]) -> asyncio.Server:
    """A server that notes each request as it came and answers with given bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.splitlines() if b": " in line)
        requests.append(head + await reader.readexactly(int(headers[b"content-length"])))
        writer.write(answer(head))
        await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def address(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_the_token_is_sent_in_the_form_body_and_nowhere_else() -> None:
    requests: list[bytes] = []
    async with await raw_server(lambda _: reply(b"[]"), requests) as server, client(address(server)) as reader:
        await reader.read(51589, time_left=PATIENT)
    (request,) = requests
    head, body = request.split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /webservice/rest/server.php HTTP/1.1\r\n")
    assert DEMO_TOKEN.encode() not in head
    assert sorted(body.split(b"&")) == [
        b"courseid=51589",
        b"moodlewsrestformat=json",
        b"moodlewssettingfilter=true",
        b"wsfunction=core_course_get_contents",
        b"wstoken=" + DEMO_TOKEN.encode(),
    ]


async def test_a_redirect_is_not_followed() -> None:
    requests: list[bytes] = []
    moved = reply(b"", "307 Temporary Redirect", "location: http://127.0.0.1:9/elsewhere")
    async with await raw_server(lambda _: moved, requests) as server:
        error = await refused(client(address(server)))
    assert error.code == "moodle_redirects"
    assert len(requests) == 1


async def test_a_connection_that_breaks_is_tried_again() -> None:
    requests: list[bytes] = []
    answers = iter([b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n[", b"", reply(b"[]")])
    async with await raw_server(lambda _: next(answers), requests) as server, client(address(server)) as reader:
        assert (await reader.read(51589, time_left=PATIENT)).sections == ()
    assert len(requests) == 3


async def test_a_reply_without_an_end_is_not_collected_for_ever() -> None:
    requests: list[bytes] = []
    endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"[" * (17 * 1024 * 1024)
    async with await raw_server(lambda _: endless, requests) as server:
        error = await refused(client(address(server)))
    assert error.code == "moodle_reply_too_large"


async def test_data_that_is_no_list_of_sections_is_an_error() -> None:
    requests: list[bytes] = []
    async with await raw_server(lambda _: reply(b'{"sections": []}'), requests) as server:
        error = await refused(client(address(server)))
    assert error.code == "moodle_unexpected_reply"
