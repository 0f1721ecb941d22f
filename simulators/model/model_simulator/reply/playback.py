"""Plays a plan: pieces at their pace, pauses, gates, and the connection cut where the plan says so."""

import asyncio
from collections.abc import Awaitable, Callable

from model_simulator.reply.exchange import Exchange
from model_simulator.reply.plan import Plan
from model_simulator.reply.sinks import Sink
from model_simulator.reply.steps import Cut, Gate, Pause, Raw, Wait

PassGate = Callable[[str, Exchange], Awaitable[None]]
Counted = Callable[[int], None]


class ConnectionCutError(Exception):
    """The plan says that the connection ends here."""


async def wait(step: Wait, exchange: Exchange, pass_gate: PassGate) -> None:
    """Wait for a pause or at a gate. Raises what `Exchange.pause` raises."""
    if isinstance(step, Pause):
        await exchange.pause(step.seconds)
    else:
        await pass_gate(step.name, exchange)


async def play(plan: Plan, sink: Sink, exchange: Exchange, pass_gate: PassGate, counted: Counted) -> None:
    """Send all of the plan's steps and end the reply; `counted` is told the number of pieces whenever they were sent.

    Raises ConnectionCutError, and what `Exchange.pause` raises. Pieces are sent together when nothing is to wait
    between them; with a pace each is due a fixed time after the one before, so delays do not add up.
    """
    clock = asyncio.get_running_loop().time
    interval = 1 / plan.pace.tokens_per_second if plan.pace.tokens_per_second else 0.0
    if plan.pace.first_token_seconds:
        await exchange.pause(plan.pace.first_token_seconds)
    due, sent = clock(), 0
    for step in plan.steps:
        if isinstance(step, Pause | Gate | Cut):
            await sink.flush()
            counted(sent)
            if isinstance(step, Cut):
                raise ConnectionCutError
            await wait(step, exchange, pass_gate)
            due = clock()
        elif isinstance(step, Raw):
            sink.add_raw(step.text)
        else:
            if interval:
                left = due - clock()
                if left > 0:
                    await sink.flush()
                    counted(sent)
                    await exchange.pause(left)
                due += interval
            sink.add(step)
            sent += 1
    await sink.finish(plan.finish_reason, plan.usage)
    counted(sent)
