"""The streaming part of `make bench`: time to the first delta, age of tokens, and what a token costs.

Everything is on this machine: the paced model, `threadworks up`, the bare stream to compare with, the load. The model's
own wait is taken off.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import orjson
from bare_stream import DELTAS
from measured_installation import Processes, start_threadworks
from run import prepare_bare
from threadworks.local_servers.ports import free_port, is_free

BENCH: Final = Path(__file__).resolve().parent
PACE: Final = 50
"""Tokens a second of each stream."""
STEPS: Final = ((1, 10, 50), (20, 20, 100), (100, 60, 500))
"""(streams at once, seconds, tokens of each)."""
BARE_SECONDS: Final = 20
GOAL_AT: Final = 20
GOAL: Final = 2.5
"""At 20 streams, how many times as late as that of the bare stream half of the first deltas may be (ADR 0019)."""
JOIN_SECONDS: Final = 8


def load(url: str, streams: int, seconds: int, tokens: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, BENCH / "stream_load.py", url, str(streams), str(seconds), str(PACE), str(tokens)],
        check=True,
        stdout=subprocess.PIPE,
    )
    measured: dict[str, float] = orjson.loads(done.stdout)
    return measured


def start_bare(database_url: str, kafka: str, model_port: int) -> tuple[str, list[subprocess.Popen[bytes]]]:
    asyncio.run(prepare_bare(database_url, kafka, DELTAS))
    port = free_port()
    environment = os.environ | {
        "BARE_DATABASE_URL": database_url,
        "BARE_KAFKA": kafka,
        "BARE_GATEWAY_PORT": str(port),
        "BARE_MODEL_PORT": str(model_port),
    }
    roles = ("orchestrator", "gateway")
    started = [subprocess.Popen([sys.executable, BENCH / "bare_stream.py", role], env=environment) for role in roles]
    while is_free(port):
        time.sleep(0.05)
    # The orchestrator reads from the end on: it has to have joined its group before the first run comes.
    time.sleep(JOIN_SECONDS)
    return f"http://127.0.0.1:{port}/v1", started


def main() -> int:
    port, broken, ratio = free_port(), 0.0, 0.0
    model = subprocess.Popen([sys.executable, BENCH / "paced_model.py", str(port)])
    with tempfile.TemporaryDirectory(prefix="threadworks-bench-") as data_dir:
        up, url, kafka = start_threadworks(
            data_dir, OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1", OPENAI_API_KEY="sk-none-is-needed"
        )
        bare: list[subprocess.Popen[bytes]] = []
        try:
            bare_url, bare = start_bare((Path(data_dir) / "database-url").read_text().strip(), kafka, port)
            processes = Processes(up.pid)
            for streams, seconds, tokens in STEPS:
                cpu = processes.cpu()
                seen = load(url, streams, seconds, tokens)
                spent = {name: after - cpu.get(name, 0.0) for name, after in processes.cpu().items()}
                broken += seen["broken"]
                print(f"{streams} streams at once, {PACE} tokens/s each, {os.cpu_count()} cores for everything")
                print(
                    f"  first delta  p50 {seen['first_p50_ms']:7.1f} ms   p99 {seen['first_p99_ms']:7.1f} ms"
                    f"   token hop  p50 {seen['hop_p50_ms']:6.1f} ms   p99 {seen['hop_p99_ms']:6.1f} ms"
                )
                theirs = load(bare_url, streams, min(seconds, BARE_SECONDS), tokens)
                if streams == GOAL_AT:
                    ratio = seen["first_p50_ms"] / theirs["first_p50_ms"]
                print(
                    f"  bare stream  p50 {theirs['first_p50_ms']:7.1f} ms   p99 {theirs['first_p99_ms']:7.1f} ms"
                    f"   token hop  p50 {theirs['hop_p50_ms']:6.1f} ms   p99 {theirs['hop_p99_ms']:6.1f} ms"
                    f"   ratio of first deltas {seen['first_p50_ms'] / theirs['first_p50_ms']:.1f}"
                )
                rate = seen["tokens_per_second"]
                print(f"  {seen['streams']:.0f} streams, {seen['broken']:.0f} broken, {rate:.0f} tokens/s")
                print(
                    "  CPU µs/token "
                    + "  ".join(f"{name} {s / max(1, seen['tokens']) * 1e6:.0f}" for name, s in spent.items())
                )
        finally:
            for process in bare:
                process.terminate()
            for process in bare:
                process.wait(10)
            up.send_signal(signal.SIGTERM)
            up.wait(120)
            model.terminate()
            model.wait(10)
    print(f"ratio of first deltas at {GOAL_AT} streams: {ratio:.1f} (goal ≤ {GOAL})")
    return 1 if broken or ratio > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
