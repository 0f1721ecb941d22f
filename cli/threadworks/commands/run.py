"""`threadworks run`: everything in one process."""

import asyncio

from threadworks.all_in_one import AllInOne
from threadworks.settings import local_settings
from threadworks.until_stopped import run_until_stopped


def run() -> None:
    """Run everything in one process on an embedded PostgreSQL. Ctrl-C stops it."""
    asyncio.run(run_until_stopped("run", local_settings(), AllInOne))
