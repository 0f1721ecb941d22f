"""A plugin of pytest for the environments of images: leaves out tests that ask for what a server's fixture gives.

Handed to pytest by `test_images.py` with `-p`; the tests' own conftest files are not read there.
"""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests whose fixtures exist."""
    alone, others = [], []
    for item in items:
        known = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 - private, and the only place that tells
        wanted = set(getattr(item, "fixturenames", ())) - {"request"}
        parameters = getattr(item, "callspec", None)
        given = set(parameters.params) if parameters is not None else set()
        (alone if wanted <= set(known) | given else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = alone
