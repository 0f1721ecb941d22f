"""Which orchestrator of an installation drives a run, as its log tells. Used by the chaos tests."""

from typing import Any

import orjson
import psutil
from installation import Installation


def claims_of(installation: Installation, run_id: str) -> list[dict[str, Any]]:
    """The claims of the run as the orchestrators have logged them, in order; `log` is the file of the one that did."""
    claims = []
    for log in installation.data_dir.glob("logs/orchestrator-*.log"):
        for line in log.read_text().splitlines():
            if run_id in line and '"run_claimed"' in line:
                claims.append({**orjson.loads(line), "log": str(log)})
    return sorted(claims, key=lambda claim: claim["attempt"])


def driver_of(installation: Installation, run_id: str) -> psutil.Process:
    """The orchestrator that claimed the run last."""
    log_file = claims_of(installation, run_id)[-1]["log"]
    for process in installation.processes("run_orchestrator"):
        if any(file.path == log_file for file in process.open_files()):
            return process
    raise AssertionError(f"nobody writes {log_file}")
