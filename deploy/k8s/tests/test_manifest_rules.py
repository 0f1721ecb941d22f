"""Each rule holds in each overlay, and each was seen to fail: once for every change that breaks it."""

import copy
from collections.abc import Callable

import pytest
from manifests_under_test import network_rules, pod_rules, rollout_rules, scaling_rules, secret_rules
from manifests_under_test.rendered import FOLDER, OVERLAYS, Breaking, Manifests, Rule, render

EVERYWHERE = [*pod_rules.RULES, *rollout_rules.RULES, *network_rules.RULES, *secret_rules.RULES]
ONE_OVERLAY = {
    network_rules.servers_of_a_trial_let_in_those_that_need_them: "local",
    secret_rules.production_brings_no_secret_along: "production",
    secret_rules.production_encrypts_and_signs_in: "production",
    secret_rules.public_events_of_production_carry_no_text: "production",
    **{rule: "production" for rule, _ in scaling_rules.RULES},
}
RULES = [*EVERYWHERE, *scaling_rules.RULES]

Rendered = Callable[[str], Manifests]


def overlays_of(rule: Rule) -> tuple[str, ...]:
    return (ONE_OVERLAY[rule],) if rule in ONE_OVERLAY else OVERLAYS


HOLDS = [
    pytest.param(rule, overlay, id=f"{overlay}-{rule.__name__}") for rule, _ in RULES for overlay in overlays_of(rule)
]
BREAKS = [
    pytest.param(rule, breaking, overlay, id=f"{overlay}-{rule.__name__}-{number}")
    for rule, breakings in RULES
    for overlay in overlays_of(rule)
    for number, breaking in enumerate(breakings, start=1)
]


@pytest.fixture(scope="session")
def rendered() -> Rendered:
    """`rendered("local")` is a copy that a test may change."""
    originals = {overlay: render(FOLDER / "overlays" / overlay) for overlay in OVERLAYS}
    return lambda overlay: Manifests(overlay, copy.deepcopy(originals[overlay]))


@pytest.mark.parametrize(("rule", "overlay"), HOLDS)
def test_the_rule_holds(rule: Rule, overlay: str, rendered: Rendered) -> None:
    assert list(rule(rendered(overlay))) == []


@pytest.mark.parametrize(("rule", "breaking", "overlay"), BREAKS)
def test_the_rule_is_broken_by(rule: Rule, breaking: Breaking, overlay: str, rendered: Rendered) -> None:
    manifests = rendered(overlay)
    breaking(manifests)
    assert list(rule(manifests)) != []


def test_every_rule_was_seen_to_fail() -> None:
    assert [rule.__name__ for rule, breakings in RULES if not breakings] == []
    names = [rule.__name__ for rule, _ in RULES]
    assert len(names) == len(set(names))
