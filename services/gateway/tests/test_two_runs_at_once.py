"""Two runs at the same moment on one thread: exactly one wins, the other is told why. 200 tries of 200."""

import asyncio
from typing import Any

TRIES = 200


async def test_exactly_one_wins(caller: Any) -> None:
    assistant_id = await caller.assistant()
    for _ in range(TRIES):
        thread_id = await caller.thread("hello")
        replies = await asyncio.gather(
            *[caller.http.post(f"/threads/{thread_id}/runs", json={"assistant_id": assistant_id}) for _ in range(2)]
        )
        winner, loser = sorted(replies, key=lambda reply: reply.status_code)
        assert (winner.status_code, loser.status_code) == (200, 400)
        run_id = winner.json()["id"]
        assert loser.json()["error"] == {
            "message": f"Thread {thread_id} already has an active run {run_id}.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    rows = await caller.rows()
    assert (rows["runs"], rows["threads"]) == (TRIES, TRIES)


async def test_a_message_and_a_run_at_once(caller: Any) -> None:
    """Whichever is first: a message that was taken is before the run, and one that was not is told of the run."""
    assistant_id = await caller.assistant()
    for _ in range(50):
        thread_id = await caller.thread()
        message, run = await asyncio.gather(
            caller.http.post(f"/threads/{thread_id}/messages", json={"role": "user", "content": "x"}),
            caller.http.post(f"/threads/{thread_id}/runs", json={"assistant_id": assistant_id}),
        )
        assert run.status_code == 200
        if message.status_code == 200:
            assert message.json()["created_at"] <= run.json()["created_at"]
        else:
            assert message.json()["error"]["message"] == (
                f"Can't add messages to {thread_id} while a run {run.json()['id']} is active."
            )
