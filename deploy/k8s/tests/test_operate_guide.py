"""Whoever follows an alert finds a paragraph about it."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "guides" / "operate.md").read_text(encoding="utf-8")
RULES = yaml.safe_load((ROOT / "deploy/k8s/components/monitoring/alerts.yaml").read_text(encoding="utf-8"))


def test_every_alert_has_its_paragraph_and_every_paragraph_its_alert() -> None:
    alerts = [rule["alert"] for group in RULES["spec"]["groups"] for rule in group["rules"]]
    told = [line.removeprefix("### ") for line in GUIDE.splitlines() if line.startswith("### ")]
    assert told == alerts
