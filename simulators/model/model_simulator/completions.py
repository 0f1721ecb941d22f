"""POST /v1/chat/completions from arrival to end: where request, answer, reply and control meet. Called by `app`."""

import time

from starlette.types import Receive, Scope, Send

from model_simulator.control.request_log import SeenRequest, State
from model_simulator.control.state import ControlState
from model_simulator.reply import playback
from model_simulator.reply.exchange import ClientGoneError, Exchange, StoppingError
from model_simulator.reply.plan import Plan, plan_own
from model_simulator.reply.sinks import sink_for
from model_simulator.request.chat_request import ChatRequest, parse
from model_simulator.request.refusals import NO_KEY, RefusedError


class ChatCompletions:
    """The endpoint. A scripted reply goes before the simulator's own answer."""

    def __init__(self, state: ControlState, *, context_tokens: int, largest_body: int) -> None:
        self._state = state
        self._context_tokens = context_tokens
        self._largest_body = largest_body

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: an ASGI application."""
        exchange = Exchange(scope, receive, send, self._state.waiting)
        key = _key(exchange.header(b"authorization"))
        seen = self._state.log.begin(key, time.time())
        state: State = "failed"
        status: int | None = None
        try:
            if key is None:
                raise RefusedError(NO_KEY)
            await self._answer(exchange, seen)
            state, status = "finished", 200
        except RefusedError as refused:
            refusal = refused.refusal
            await exchange.reply(refusal.status, refusal.body, refusal.headers)
            state, status = "refused", refusal.status
        except ClientGoneError:
            state = "client_gone"
        except playback.ConnectionCutError:
            await exchange.close()
            state = "cut"
        except StoppingError:
            await exchange.close()
            state = "stopped"
        finally:
            self._state.log.end(seen, state, status)

    async def _answer(self, exchange: Exchange, seen: SeenRequest) -> None:
        seen.body, request = parse(await exchange.read_body(self._largest_body))
        plan = self._plan(request)
        gates = self._state.gates
        for step in plan.before:
            await playback.wait(step, exchange, gates.pass_through)
        if plan.refusal is not None:
            raise RefusedError(plan.refusal)
        sink = sink_for(request, exchange)
        await playback.play(
            plan, sink, exchange, gates.pass_through, lambda pieces: self._state.log.progress(seen, pieces)
        )

    def _plan(self, request: ChatRequest) -> Plan:
        scripted = self._state.script.take(request)
        if scripted is not None:
            return scripted.plan(request, self._state.pace, self._context_tokens)
        return plan_own(request, self._state.pace, self._context_tokens)


def _key(authorization: str | None) -> str | None:
    """Return the key of an Authorization header, whatever it is; None when there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
