"""`threadworks run`: everything in one process."""

import asyncio

from threadworks.commands.local_part import local_part
from threadworks.settings import local_settings


def run() -> None:
    """Run everything in one process on an embedded PostgreSQL. Ctrl-C stops it."""
    with local_part():
        from threadworks.all_in_one import AllInOne  # noqa: PLC0415 - the operator's image has no local part
        from threadworks.until_stopped import run_until_stopped  # noqa: PLC0415
    asyncio.run(run_until_stopped("run", local_settings(), AllInOne))
