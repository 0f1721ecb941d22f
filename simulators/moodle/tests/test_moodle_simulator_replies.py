"""The simulator gives the recorded reply to the recorded request, and applies no other rules than the ones it names."""

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from moodle_simulator import DEMO_TOKEN, MoodleSimulator, Recording, Recordings, token_of

RECORDINGS = Recordings.load()
REST = "/webservice/rest/server.php"
CONTENTS = "core_course_get_contents"
OTHER_STATE = re.compile(r"_debug$|_site_en$|database|maintenance|fatal|_http403|rest_capability|second_call$")
IN_NORMAL_STATE = [recording for recording in RECORDINGS if not OTHER_STATE.search(recording.name)]


@pytest.fixture(scope="module")
async def simulator() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator(recordings=RECORDINGS)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture(scope="module")
async def client(simulator: MoodleSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.base_url) as client:
        yield client


def fields_of(recording: Recording) -> dict[str, str]:
    fields = dict(recording.params)
    if recording.function is not None:
        fields["wsfunction"] = recording.function
    if recording.owner == "(wrong token)":
        fields["wstoken"] = "0" * 32
    elif recording.owner == "(empty token)":
        fields["wstoken"] = ""
    elif recording.owner is not None:
        fields["wstoken"] = token_of(recording.owner)
    return fields


async def send(client: httpx.AsyncClient, recording: Recording) -> httpx.Response:
    fields = fields_of(recording)
    if recording.method in {"GET", "HEAD"}:
        return await client.request(recording.method, REST, params=fields)
    if recording.name.endswith("json_body_is_not_read"):
        return await client.post(REST, json=fields)
    if recording.name.endswith("token_in_authorization_header"):
        token = fields.pop("wstoken")
        return await client.post(REST, data=fields, headers={"authorization": f"Bearer {token}"})
    if recording.name.endswith("multipart"):
        return await client.post(REST, files={name: (None, value) for name, value in fields.items()})
    if recording.name.endswith("query_on_post"):
        return await client.post(REST, params=fields)
    return await client.request(recording.method, REST, data=fields)


async def call(client: httpx.AsyncClient, token: str = DEMO_TOKEN, **params: str) -> httpx.Response:
    fields = {"wstoken": token, "wsfunction": CONTENTS, "moodlewsrestformat": "json", **params}
    return await client.post(REST, data=fields)


def assert_is(reply: httpx.Response, name: str) -> None:
    recording = RECORDINGS[name]
    assert reply.status_code == recording.status
    assert reply.content == recording.body
    assert reply.headers["content-type"] == recording.headers["content-type"]


@pytest.mark.parametrize("recording", IN_NORMAL_STATE, ids=lambda recording: recording.name)
async def test_a_recorded_request_gets_its_recorded_reply(client: httpx.AsyncClient, recording: Recording) -> None:
    await client.delete("/_simulator/script")
    reply = await send(client, recording)
    assert_is(reply, recording.name)


@pytest.mark.parametrize(
    "recording", [r for r in RECORDINGS if OTHER_STATE.search(r.name)], ids=lambda recording: recording.name
)
async def test_a_site_in_another_state_answers_when_scripted(
    simulator: MoodleSimulator, client: httpx.AsyncClient, recording: Recording
) -> None:
    simulator.script.fail_next(1, recording.name)
    assert_is(await call(client, courseid="51589"), recording.name)
    assert_is(await call(client, courseid="51589"), f"{CONTENTS}/tutor_service")


def test_there_are_recordings_of_both_kinds() -> None:
    assert len(IN_NORMAL_STATE) > 90
    assert len(RECORDINGS) - len(IN_NORMAL_STATE) > 30
    assert sum(recording.is_error for recording in RECORDINGS.of(CONTENTS)) == 76


def test_bodies_are_written_as_php_writes_them() -> None:
    body = RECORDINGS[f"{CONTENTS}/tutor_service"].body
    assert b"https:\\/\\/moodle.example" in body
    assert b"WH Geb\\u00e4ude C 406" in body
    assert json.loads(body)[1]["name"] == "25.10. 09-15 Uhr, WH Gebäude C 406"


async def test_an_expired_token_is_refused_once_and_unknown_afterwards(client: httpx.AsyncClient) -> None:
    await client.delete("/_simulator/script")
    token = token_of("student1_expired")
    assert_is(await call(client, token, courseid="51589"), f"{CONTENTS}/err_expired_token_first_call")
    for _ in range(2):
        assert_is(await call(client, token, courseid="51589"), f"{CONTENTS}/err_expired_token_second_call")


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"courseid": "4711"}, "err_unknown_course"),
        ({"courseid": "0"}, "err_course_zero"),
        ({"courseid": "-5"}, "err_negative_course"),
        ({}, "err_missing_parameter"),
        ({"courseid": "fünf"}, "err_wrong_type_text"),
        ({"courseid": "51589 "}, "err_leading_space"),
        ({"courseid": "9" * 20}, "err_bigint"),
        ({"courseid": "51589", "colour": "blue"}, "err_unexpected_parameter"),
        ({"courseid": "51589", "wsfunction": "core_nothing"}, "err_wrong_case_function_name"),
        ({"courseid": "52110"}, "err_hidden_course_service"),
        ({"courseid": "52003"}, "not_enrolled_course_by_service_account"),
    ],
)
async def test_the_demo_account_is_refused_as_recorded(
    client: httpx.AsyncClient, params: dict[str, str], name: str
) -> None:
    assert_is(await call(client, **params), f"{CONTENTS}/{name}")


@pytest.mark.parametrize(
    ("course", "name"),
    [
        ("51589", "tutor_service"),
        ("50726", "prog1_service"),
        ("52200", "empty_course_student1"),
        ("52305", "two_languages_student1_filter"),
        ("52888", "big_course_390_modules_student1"),
    ],
)
async def test_the_demo_account_reads_filtered_texts(client: httpx.AsyncClient, course: str, name: str) -> None:
    assert_is(await call(client, courseid=course, moodlewssettingfilter="true"), f"{CONTENTS}/{name}")


async def test_what_was_never_recorded_is_refused_plainly(client: httpx.AsyncClient) -> None:
    reply = await call(client, token_of("student2"), courseid="50726")
    assert reply.status_code == 501
    assert "no recording of core_course_get_contents as student2" in reply.text


async def test_it_says_what_it_is(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert "simulator of Threadworks, not a Moodle" in page.text
    reply = await call(client, courseid="51589")
    assert page.headers["server"] == reply.headers["server"] == "threadworks-moodle-simulator"
