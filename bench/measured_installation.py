"""An installation of `threadworks up` for the benchmarks, and what its processes use."""

import os
import re
import subprocess
import sys

import psutil


class Processes:
    """CPU seconds and memory of a tree of processes, by the last word of what they run."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)

    def _named(self) -> dict[str, psutil.Process]:
        named: dict[str, psutil.Process] = {}
        for process in self._root.children(recursive=True):
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if "-m" in command:
                name = command[command.index("-m") + 1]
                named[f"{name} {sum(known.startswith(name) for known in named) + 1}"] = process
        return named

    def cpu(self) -> dict[str, float]:
        found = {}
        for name, process in self._named().items():
            times = process.cpu_times()
            found[name] = times.user + times.system
        return found

    def memory(self) -> dict[str, float]:
        return {name: process.memory_info().rss / 2**20 for name, process in self._named().items()}


def start_threadworks(data_dir: str, **environment: str) -> tuple[subprocess.Popen[str], str, str]:
    """`threadworks up` on a data folder of its own; gives it with the gateway's and Kafka's address."""
    up = subprocess.Popen(
        [sys.executable, "-m", "threadworks", "up"],
        env=os.environ
        | {"THREADWORKS_DATA_DIR": data_dir, "THREADWORKS_PORT": "0", "THREADWORKS_LOG_LEVEL": "warning"}
        | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    kafka = ""
    assert up.stdout is not None
    for line in up.stdout:
        if found := re.match(r"Kafka is at (\S+);", line):
            kafka = found[1]
        if found := re.match(r"ready url=(\S+)", line):
            return up, found[1], kafka
    raise SystemExit("threadworks up did not get ready")
