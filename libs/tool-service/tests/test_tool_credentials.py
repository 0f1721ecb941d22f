"""Users' own credentials: sealed for a thread, opened by the service they are for and by nothing else."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import structlog
from event_bus import OutgoingRecord
from message_contracts import Message, codec
from nacl.public import PublicKey, SealedBox
from observability import Meters
from observability.redaction import MASK, redact_text
from pydantic import SecretStr
from tool_service import ToolContext, ToolService, calls
from tool_service.answering import Answering
from tool_service.metrics import ToolMeter
from tool_service.recent_answers import RecentAnswers
from tool_service.sealing import CannotOpen, SealingKey, SealingKeys, checked_keys

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
SECRET = "student-token-0001"
THREAD = {"tenant": "tenant_1", "thread_id": "thread_1"}
KEY, NEWER, FOREIGN = SealingKey.new(), SealingKey.new(), SealingKey.new()


def sealed(key: SealingKey, content: Any = None, *, key_id: str | None = None) -> str:
    """What a gateway makes of a credential."""
    content = {**THREAD, "secret": SECRET} if content is None else content
    public = PublicKey(bytes(key._private.public_key))
    box = SealedBox(public).encrypt(content if isinstance(content, bytes) else orjson.dumps(content))
    return f"{key.fingerprint[:16] if key_id is None else key_id}:{b64encode(box).decode()}"


def test_the_first_key_is_announced_and_all_of_them_open() -> None:
    keys = SealingKeys([NEWER, KEY])
    assert keys.public_key == NEWER.public
    for key in (NEWER, KEY):
        assert keys.open(sealed(key), **THREAD).get_secret_value() == SECRET


@pytest.mark.parametrize(
    "box",
    [
        sealed(FOREIGN),
        sealed(FOREIGN, key_id=KEY.fingerprint[:16]),
        sealed(KEY, {**THREAD, "thread_id": "thread_2", "secret": SECRET}),
        sealed(KEY, {**THREAD, "tenant": "tenant_2", "secret": SECRET}),
        sealed(KEY, {"secret": SECRET}),
        sealed(KEY, THREAD),
        sealed(KEY, {**THREAD, "secret": ""}),
        sealed(KEY, {**THREAD, "secret": 5}),
        sealed(KEY, [SECRET]),
        sealed(KEY, SECRET.encode()),
        f"{KEY.fingerprint[:16]}:{b64encode(SECRET.encode()).decode()}",
        f"{KEY.fingerprint[:16]}:%",
        SECRET,
        "",
    ],
)
def test_anything_else_cannot_be_opened(box: str) -> None:
    with pytest.raises(CannotOpen):
        SealingKeys([KEY]).open(box, **THREAD)


def test_a_changed_box_cannot_be_opened() -> None:
    key_id, _, box = sealed(KEY).partition(":")
    changed = box[:60] + ("A" if box[60] != "A" else "B") + box[61:]
    with pytest.raises(CannotOpen):
        SealingKeys([KEY]).open(f"{key_id}:{changed}", **THREAD)


def test_keys_come_from_a_setting_and_stay_out_of_the_log() -> None:
    keys = SealingKeys.read(SecretStr(f"{NEWER.private}, {KEY.private},"))
    assert keys.public_key == NEWER.public
    assert keys.open(sealed(KEY), **THREAD).get_secret_value() == SECRET
    assert redact_text(f"read {KEY.private}") == f"read {MASK}"
    assert KEY.private not in repr(KEY) + repr(keys) + str(vars(keys))
    assert SealingKeys.read(None).public_key is None
    assert SealingKeys.read(SecretStr("")).public_key is None


@pytest.mark.parametrize("text", ["abc", b64encode(b"x" * 31).decode(), KEY.private[:-1], "ключ"])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="no private key") as refused:
        checked_keys(SecretStr(f"{KEY.private},{text}"))
    assert text not in str(refused.value)


class Library:
    """A service that shows what its function was given."""

    def __init__(self, keys: SealingKeys | None) -> None:
        self.given: list[SecretStr | None] = []
        self.records: list[OutgoingRecord] = []
        self.logged = ""
        service = ToolService(name="library")

        @service.function(timeout=20)
        async def borrow(context: ToolContext) -> str:
            """Borrows."""
            self.given.append(context.credential)
            self.logged = redact_text(f"called with {SECRET}, {context}")
            return "done"

        self.answering = Answering(
            service.functions,
            self,
            clock=lambda: NOW,
            recent=RecentAnswers(),
            meter=ToolMeter(Meters()),
            keys=keys,
        )

    async def publish(self, records: Any) -> list[None]:
        self.records.extend(records)
        return [None for _ in records]

    async def answer(self, **more: Any) -> Message:
        await self.answering.handle(requested(**more))
        return codec.decode(self.records[-1].headers, self.records[-1].value)


def requested(**more: Any) -> Message:
    call = {
        "id": "call_1",
        "run_id": "run_1",
        "step_id": "step_1",
        "thread_id": "thread_1",
        "service": "library",
        "name": "borrow",
        "arguments": "{}",
        "created_at": NOW.isoformat(),
        "deadline": (NOW + timedelta(seconds=30)).isoformat(),
    }
    return Message(
        type=calls.REQUESTED,
        source="/threadworks/run-orchestrator",
        subject="call_1",
        tenant="tenant_1",
        data={"tool_call": call | more},
        id="event_1",
        time=NOW,
    )


async def test_a_function_gets_the_users_credential_and_the_log_does_not() -> None:
    library = Library(SealingKeys([KEY]))
    answer = await library.answer(credentials=sealed(KEY))
    assert answer.type == calls.COMPLETED
    assert library.given == [SecretStr(SECRET)]
    assert SECRET not in library.logged
    assert MASK in library.logged
    assert SECRET not in str(library.records)


@pytest.mark.parametrize("more", [{}, {"credentials": None}])
async def test_without_one_it_gets_none(more: dict[str, Any]) -> None:
    library = Library(SealingKeys([KEY]))
    assert (await library.answer(**more)).type == calls.COMPLETED
    assert library.given == [None]


@pytest.mark.parametrize(
    ("keys", "box"),
    [
        (None, sealed(KEY)),
        (SealingKeys([NEWER]), sealed(KEY)),
        (SealingKeys([KEY]), sealed(KEY, {**THREAD, "thread_id": "thread_of_another", "secret": SECRET})),
    ],
)
async def test_what_cannot_be_opened_is_told_and_nothing_is_executed(keys: SealingKeys | None, box: str) -> None:
    library = Library(keys)
    with structlog.testing.capture_logs() as events:
        answer = await library.answer(credentials=box)
    assert answer.type == calls.FAILED
    assert answer.data["error"]["code"] == "credential_unusable"
    assert "The user has to give it again" in answer.data["error"]["message"]
    assert library.given == []
    assert [event["action"] for event in events] == ["tool_credential_unusable", "tool_call_failed"]
    assert box not in str(events)


def test_the_key_is_announced() -> None:
    record = calls.announcement("library", [], NOW, SealingKeys([KEY]).public_key)
    assert codec.decode(record.headers, record.value).data["service"]["public_key"] == KEY.public


def test_the_call_does_not_show_what_is_sealed() -> None:
    call = calls.read_call(requested(credentials=sealed(KEY)))
    assert "credentials" not in repr(call)
