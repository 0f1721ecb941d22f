"""The trial on a control plane sees a broken budget, a missing gateway, a warning; here without a control plane."""

import subprocess
from typing import Any

import pytest
import trial

KEPT = {
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "gateway"},
    "status": {"currentHealthy": 1, "desiredHealthy": 1},
}
TWO = {"kind": "Deployment", "metadata": {"name": "gateway"}, "status": {"availableReplicas": 2}}


def test_what_was_seen_is_counted() -> None:
    assert "in 2 states" in trial.check([KEPT, KEPT, TWO], gateways=2)


def test_a_broken_budget_is_seen() -> None:
    broken = KEPT | {"status": {"currentHealthy": 0, "desiredHealthy": 1}}
    with pytest.raises(trial.Refused, match="budget of gateway was broken: 0 of 1"):
        trial.check([KEPT, broken, TWO], gateways=2)


def test_a_gateway_less_is_seen() -> None:
    with pytest.raises(trial.Refused, match="there were 0 gateways"):
        trial.check([KEPT, TWO, TWO | {"status": {}}], gateways=1)


@pytest.mark.parametrize(("code", "stderr"), [(0, "Warning: this will not work"), (1, "error: no such thing")])
def test_errors_and_warnings_of_kubectl_are_seen(code: int, stderr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_arguments: Any, **_options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], code, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(trial.Refused, match=stderr):
        trial.kubectl("apply")
