"""Each student sees in Moodle what this student may see, and is told plainly where that is nothing."""

import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from moodle_simulator import MoodleSimulator, Recordings
from moodle_simulator.owners import token_of
from nacl.public import PublicKey, SealedBox
from pydantic import SecretStr
from tool_service.sealing import SealingKey

sys.path.append(str(Path(__file__).parent))
from moodle_service_bench import Bench

KEY = SealingKey.new()
COURSE, COURSE_OF_OTHERS = "51589", "52003"


@pytest.fixture(scope="module")
async def moodle() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator(recordings=Recordings.load())
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def bench(moodle: MoodleSimulator) -> AsyncIterator[Bench]:
    async with Bench(moodle.base_url, sealing_keys=SecretStr(KEY.private)) as bench:
        yield bench


def sealed(token: str, key: SealingKey = KEY) -> str:
    content = {"tenant": "tenant_1", "thread_id": "thread_1", "secret": token}
    box = SealedBox(PublicKey(b64decode(key.public))).encrypt(orjson.dumps(content))
    return f"{key.fingerprint[:16]}:{b64encode(box).decode()}"


async def test_the_key_for_tokens_of_users_is_announced(bench: Bench) -> None:
    assert (await bench.announcements.get()).data["service"]["public_key"] == KEY.public


async def test_two_students_see_a_course_each_as_their_own(bench: Bench) -> None:
    seen = [
        (await bench.call(COURSE, credentials=sealed(token_of(owner)))).data["output"]
        for owner in ("student1", "student2")
    ]
    assert "25.10. | 09-15 Uhr | WH Gebäude C 406" in seen[0]
    assert "25.10. | 09-15 Uhr | WH Gebäude C 406" in seen[1]
    assert seen[0] != seen[1]


async def test_a_student_who_is_not_enrolled_is_told_so_though_the_service_might_look(bench: Bench) -> None:
    assert (await bench.call(COURSE_OF_OTHERS)).type == "threadworks.tool-call.completed.v1"
    answer = await bench.call(COURSE_OF_OTHERS, credentials=sealed(token_of("student1")))
    error = answer.data["error"]
    assert error["code"] == "course_not_accessible"
    assert "Moodle does not give the user access to this course" in error["message"]


@pytest.mark.parametrize(
    ("token", "code", "told"),
    [
        ("a-token-of-nobody", "moodle_token_invalid", "that the user has given"),
        (token_of("student1_expired"), "moodle_access_refused", "that the user has given"),
        (token_of("student1_siteinfo_only"), "moodle_access_refused", "that the user has given"),
    ],
)
async def test_a_token_that_moodle_refuses_is_told(bench: Bench, token: str, code: str, told: str) -> None:
    error = (await bench.call(COURSE, credentials=sealed(token))).data["error"]
    assert error["code"] == code
    assert told in error["message"]
    assert token not in error["message"]


async def test_a_token_for_another_key_is_never_replaced_by_the_services_own(
    moodle: MoodleSimulator, bench: Bench
) -> None:
    await moodle.script.reset()
    answer = await bench.call(COURSE, credentials=sealed(token_of("student1"), SealingKey.new()))
    assert answer.data["error"]["code"] == "credential_unusable"
    assert moodle.script.calls == {}
