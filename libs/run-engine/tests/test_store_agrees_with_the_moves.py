"""Runs are driven through random histories twice, by the store and by the pure functions, and must be the same run.

`test_store_follows_the_table_of_moves` meets every status once; this meets the counters, which steps add up.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from engine_world import Worker, World, answer, call, new_id
from run_engine.domain import moves
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.moves import RunState, Trigger
from run_engine.domain.objects import Run, Usage
from run_engine.domain.status import DRIVEN, PARKED, RunStatus
from run_engine.errors import EngineError, IllegalMove
from run_engine.lease import LEASE

HISTORIES = 12
STEPS = 25

Outcome = tuple[Awaitable[object], Callable[[RunState], RunState]]


class History:
    """One run, and what has been done to it."""

    def __init__(self, world: World, run: Run, chance: random.Random) -> None:
        self.world = world
        self.run = run
        self.chance = chance
        self.worker = world.worker("nobody")
        self.state = RunState(RunStatus.QUEUED)
        self.open: list[NewToolCall] = []
        self.happenings: list[Callable[[], Awaitable[Outcome]]] = [
            *[self._claim] * 4,
            *[self._park] * 3,
            *[self._service_answers] * 4,
            *[self._client_answers] * 2,
            self._finish,
            self._fail,
            self._cancel,
            self._obey,
            self._hand_back,
            *[self._lose_worker] * 2,
            self._late_answer,
        ]

    async def _claim(self) -> Outcome:
        worker: Worker = await self.world.live_worker()

        async def claim() -> None:
            claimed = await worker.driving.claim(self.world.tenant, self.run.id)
            if claimed is not None:
                self.worker, self.run = worker, claimed

        return claim(), lambda state: moves.move(state, Trigger.CLAIM)

    async def _park(self) -> Outcome:
        client, server = self.chance.choice([(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
        calls = [call() for _ in range(client)] + [call("moodle") for _ in range(server)]
        if self.state.status is RunStatus.IN_PROGRESS:
            self.open = calls
        parking = self.worker.driving.park(self.run, new_id("step"), calls, Usage())
        return parking, lambda state: moves.park(state, client_calls=client, server_calls=server)

    def _pending(self, *, client: bool) -> list[NewToolCall]:
        parked = self.state.status in PARKED
        return [asked for asked in self.open if parked and (asked.service is None) is client]

    async def _service_answers(self) -> Outcome:
        pending = self._pending(client=False)
        answered = self.chance.choice(pending) if pending else call("moodle")
        self.open = [asked for asked in self.open if asked is not answered]
        storing = self.world.gateway.answers.complete(self.world.tenant, self.run.id, answered.id, "out")
        return storing, lambda state: moves.answer(state, server_calls=1 if pending else 0)

    async def _late_answer(self) -> Outcome:
        storing = self.world.gateway.answers.complete(self.world.tenant, self.run.id, "call_of_long_ago", "out")
        return storing, lambda state: state

    async def _client_answers(self) -> Outcome:
        pending = self._pending(client=True)
        self.open = [asked for asked in self.open if asked not in pending]
        outputs = [(asked.id, "out") for asked in pending]
        submitting = self.world.gateway.runs.submit_outputs(self.world.tenant, self.run.thread_id, self.run.id, outputs)
        return submitting, lambda state: moves.answer(state, client_calls=len(pending))

    async def _finish(self) -> Outcome:
        return self.worker.driving.finish(self.run, answer()), lambda state: moves.move(state, Trigger.COMPLETE)

    async def _fail(self) -> Outcome:
        failing = self.worker.driving.fail(self.run, "server_error", "x")
        return failing, lambda state: moves.move(state, Trigger.FAIL)

    async def _cancel(self) -> Outcome:
        cancelling = self.world.gateway.runs.cancel(self.world.tenant, self.run.thread_id, self.run.id)
        return cancelling, lambda state: moves.move(state, Trigger.CANCEL)

    async def _obey(self) -> Outcome:
        return self.worker.driving.obey_cancel(self.run), lambda state: moves.move(state, Trigger.OBEY_CANCEL)

    async def _hand_back(self) -> Outcome:
        handing = self.worker.driving.hand_back(self.world.tenant, self.run.id, self.run.attempt)
        return handing, lambda state: moves.move(state, Trigger.HAND_BACK)

    async def _lose_worker(self) -> Outcome:
        await self.worker.liveness.retire()
        return (await self.world.live_worker()).sweeps.requeue_lost_runs(LEASE), moves.lose_worker

    async def step(self) -> str:
        """Does something to the run, on both sides, and compares."""
        happening = self.chance.choice(self.happenings)
        before = self.state
        doing, expectation = await happening()
        expected = before
        with suppress(IllegalMove):
            expected = expectation(before)
        try:
            await doing
        except EngineError:
            assert expected == before, f"{happening.__name__} was refused from {before}"
        self.state = expected
        assert _comparable(await self._stored()) == _comparable(expected), f"{happening.__name__} from {before}"
        return happening.__name__ if expected != before else "refused"

    async def _stored(self) -> RunState:
        row = (
            await self.world.sql(
                "SELECT status, attempt, lost_workers, open_client_calls, open_server_calls, worker FROM runs"
                " WHERE tenant_id = $1 AND id = $2",
                self.world.tenant,
                self.run.id,
            )
        )[0]
        status = RunStatus(row["status"])
        assert row["worker"] == (self.worker.name if status in DRIVEN else None)
        return RunState(status, row["attempt"], row["lost_workers"], row["open_client_calls"], row["open_server_calls"])


def _comparable(state: RunState) -> object:
    # What is counted of a run that is over moves nothing any more.
    return (state.status, state.attempt) if state.status.ended else state


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_a_history_leads_to_the_same_run_on_both_sides(lonely_world: World, seed: int) -> None:
    chance = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(6):
        run = await lonely_world.start_run()
        history = History(lonely_world, run, chance)
        for _ in range(STEPS):
            seen[await history.step()] += 1
            if history.state.status.ended:
                break
        await lonely_world.events(run)
        await lonely_world.outbox(run.thread_id)
        holder = await lonely_world.active_run(run)
        assert holder == (run.id if moves.holds_thread(history.state.status) else None)
    assert len(seen) > 5, seen
