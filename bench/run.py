"""`make bench`: runs per second of `threadworks up` beside the bare pipeline, by turns in one run on one machine.

Absolute figures depend on the machine and its neighbours; the ratio is what counts. Both use the same PostgreSQL and
the same Kafka, which `up` starts; the other one's processes are idle while one is measured.
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

import asyncpg
import orjson
from bare_pipeline import PARTITIONS, SCHEMA, TOPICS
from event_bus.kafka_admin import ensure_topics
from event_bus.kafka_settings import KafkaSettings
from measured_installation import Processes, start_threadworks
from message_contracts.catalogue import Topic
from threadworks.local_servers.ports import free_port, is_free

ROOT: Final = Path(__file__).resolve().parent.parent
BENCH: Final = ROOT / "bench"
GOAL: Final = 0.25
"""The ratio at 64 in flight that must hold."""
STEPS: Final = ((1, 150), (16, 1500), (64, 3000))
"""(in flight, jobs)."""


def load(target: str, url: str, jobs: int, in_flight: int, *, errors: int | None = None) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, BENCH / "load.py", target, url, str(jobs), str(in_flight)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=errors,
    )
    measured: dict[str, float] = orjson.loads(done.stdout)
    return measured


async def prepare_bare(database_url: str, kafka: str, *more_topics: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(SCHEMA)
    await connection.close()
    topics = [
        Topic(
            name=name,
            key="thread id",
            partitions=PARTITIONS,
            retention=None,
            compacted=False,
            producers=(),
            consumers=(),
            message_types=(),
        )
        for name in (*TOPICS, *more_topics)
    ]
    await ensure_topics(KafkaSettings(bootstrap_servers=kafka, client_id="bench"), topics, replication_factor=1)


def start_bare(database_url: str, kafka: str) -> tuple[str, list[subprocess.Popen[bytes]]]:
    gateway_port, model_port = free_port(), free_port()
    environment = os.environ | {
        "BARE_DATABASE_URL": database_url,
        "BARE_KAFKA": kafka,
        "BARE_GATEWAY_PORT": str(gateway_port),
        "BARE_MODEL_PORT": str(model_port),
    }
    started = []
    for role, port in (("model", model_port), ("orchestrator", None), ("gateway", gateway_port)):
        started.append(subprocess.Popen([sys.executable, BENCH / "bare_pipeline.py", role], env=environment))
        # Nothing retries here: a run that is taken before its model listens would never end.
        while port is not None and is_free(port):
            time.sleep(0.05)
    return f"http://127.0.0.1:{gateway_port}", started


def wait_for(url: str) -> None:
    """A job that succeeds shows that all three bare processes work."""
    for _ in range(30):
        try:
            load("bare", url, 5, 1, errors=subprocess.DEVNULL)
        except subprocess.CalledProcessError:
            continue
        return
    raise SystemExit("the bare pipeline did not get ready")


def show(name: str, values: dict[str, float]) -> None:
    print(
        f"  {name:<12} {values['runs_per_second']:8.1f} runs/s   p50 {values['p50_ms']:7.1f} ms"
        f"   p99 {values['p99_ms']:7.1f} ms"
    )


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="threadworks-bench-") as data_dir:
        up, url, kafka = start_threadworks(data_dir)
        bare: list[subprocess.Popen[bytes]] = []
        try:
            database_url = (Path(data_dir) / "database-url").read_text().strip()
            asyncio.run(prepare_bare(database_url, kafka))
            bare_url, bare = start_bare(database_url, kafka)
            wait_for(bare_url)
            processes = Processes(up.pid)
            before, ratio = processes.memory(), 0.0
            for in_flight, jobs in STEPS:
                print(f"{in_flight} in flight")
                cpu = processes.cpu()
                ours = load("threadworks", url, jobs, in_flight)
                spent = {name: seconds - cpu.get(name, 0.0) for name, seconds in processes.cpu().items()}
                theirs = load("bare", bare_url, jobs, in_flight)
                show("threadworks", ours)
                show("bare", theirs)
                ratio = ours["runs_per_second"] / theirs["runs_per_second"]
                print(f"  ratio        {ratio:8.2f}")
                print("  CPU ms/run   " + "  ".join(f"{name} {s / jobs * 1e3:.2f}" for name, s in spent.items()))
            after = processes.memory()
            print("memory before and after, MiB: ", end="")
            print("  ".join(f"{name} {before.get(name, 0):.0f} → {size:.0f}" for name, size in after.items()))
            print(f"ratio at {STEPS[-1][0]} in flight: {ratio:.2f} (goal ≥ {GOAL})")
            return 0 if ratio >= GOAL else 1
        finally:
            for process in bare:
                process.terminate()
            for process in bare:
                process.wait(10)
            up.send_signal(signal.SIGTERM)
            up.wait(120)


if __name__ == "__main__":
    sys.exit(main())
