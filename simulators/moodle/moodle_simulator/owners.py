"""The tokens that the simulator accepts, and whose recorded replies each of them gets.

They are words, not secrets: no real Moodle knows them (a real token is 32 hexadecimal digits). The demo's set-up and
the tests import them from here.
"""

from collections.abc import Iterable

DEMO_TOKEN = "demo-moodle-token"  # noqa: S105 - a word that only the simulator accepts
DEMO_OWNER = "service"
"""The account of the recordings that may view every course without being enrolled: what a shared token belongs to."""


def token_of(owner: str) -> str:
    """Return the token of one recorded account: `service` (the demo's), `student1`, `teacher`, `student1_expired`, …"""
    return DEMO_TOKEN if owner == DEMO_OWNER else f"{DEMO_TOKEN}-{owner}"


def owners_by_token(owners: Iterable[str]) -> dict[str, str]:
    """Return token → owner for the accounts that appear in the recordings."""
    return {token_of(owner): owner for owner in owners}
