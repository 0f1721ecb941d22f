"""The scaling part of `make bench`: replicas come and go under load, and nobody may notice.

Everything is on this machine: `threadworks up` with its simulators, and the load. What is counted must be zero: failed
requests, lost or doubled runs, broken streams; and, once it is quiet, the queue and the lag.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import httpx
import orjson
from observability import configure_logging
from threadworks.separate_processes import Counts, SeparateProcesses, ServiceName
from threadworks.settings import LocalSettings

BENCH: Final = Path(__file__).resolve().parent
IN_FLIGHT: Final = 24
STEPS: Final[tuple[tuple[ServiceName, int], ...]] = (
    ("orchestrator", 4),
    ("gateway", 3),
    ("moodle-tool", 2),
    ("orchestrator", 1),
    ("gateway", 1),
    ("orchestrator", 3),
    ("moodle-tool", 1),
    ("gateway", 2),
    ("orchestrator", 2),
)
"""(service, replicas it is scaled to), one after the other."""
PAUSE: Final = 4.0
"""Seconds of load after each step."""
QUIET_SECONDS: Final = 20.0
"""How long the signals may take to become zero after the last run."""
DONE: Final = ("polled", "streamed", "with a tool")

_SIGNALS: Final = {
    "queue age": re.compile(r"^threadworks_run_queue_age_seconds(?:\{.*\})? (\S+)$", re.MULTILINE),
    "consumer lag": re.compile(r"^threadworks_consumer_lag_records(?:\{.*\})? (\S+)$", re.MULTILINE),
    "outbox": re.compile(r"^threadworks_outbox_events(?:\{.*\})? (\S+)$", re.MULTILINE),
}


async def signals(installation: SeparateProcesses) -> dict[str, float]:
    """The largest value of each signal over all orchestrators."""
    largest = dict.fromkeys(_SIGNALS, 0.0)
    async with httpx.AsyncClient(timeout=10) as client:
        for port in installation.ops_ports("orchestrator"):
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            for name, pattern in _SIGNALS.items():
                found = pattern.findall(text)
                if not found:
                    raise SystemExit(f"an orchestrator shows no {name}")
                largest[name] = max(largest[name], *map(float, found))
    return largest


def shown(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in values.items())


async def measure(data_dir: Path) -> bool:
    installation = SeparateProcesses(
        LocalSettings(data_dir=data_dir, port=0, log_level="warning"),
        Counts(gateways=2, orchestrators=2, moodle_tools=1),
    )
    try:
        ready = await installation.start()
        load = await asyncio.create_subprocess_exec(
            *(sys.executable, str(BENCH / "mixed_load.py"), ready.url, str(IN_FLIGHT)), stdout=asyncio.subprocess.PIPE
        )
        for service, replicas in STEPS:
            await asyncio.sleep(PAUSE)
            busy = await signals(installation)
            began = time.monotonic()
            await installation.scale(service, replicas)
            took = time.monotonic() - began
            print(f"  {service} to {replicas} in {took:.1f} s   before: {shown(busy)}", flush=True)
        await asyncio.sleep(PAUSE)
        load.terminate()
        output, _ = await load.communicate()
        seen = Counter(orjson.loads(output))
        quiet = await signals(installation)
        async with asyncio.timeout(QUIET_SECONDS):
            while any(quiet.values()):
                await asyncio.sleep(1)
                quiet = await signals(installation)
    finally:
        await installation.stop()
    wrong = {name: count for name, count in seen.items() if name not in DONE}
    print(f"  {'  '.join(f'{seen[name]} {name}' for name in DONE)}   quiet: {shown(quiet)}")
    print(f"  failed requests, lost or doubled runs, broken streams: {sum(wrong.values())} {wrong or ''}")
    return not wrong


def main() -> int:
    configure_logging("bench", "console", "error")
    print(f"{IN_FLIGHT} runs at once while replicas are added and removed")
    with tempfile.TemporaryDirectory(prefix="threadworks-bench-") as data_dir:
        return 0 if asyncio.run(measure(Path(data_dir))) else 1


if __name__ == "__main__":
    sys.exit(main())
