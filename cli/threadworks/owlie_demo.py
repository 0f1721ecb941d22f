"""What `run` and `up` tell the gateway of the Owlie dialect: keys of its own and the demo course, unless they are set.

Whoever reaches the dialect needs no key, so without a setting there is one on loopback alone.
"""

import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threadworks import demo
from threadworks.kept_keys import kept_key
from threadworks.settings import LocalSettings

COURSES: Final = Path(__file__).with_name("demo_courses.yaml")
"""The catalogue of the demo: one course, and the demo assistant for it."""


@dataclass(frozen=True, slots=True)
class Owlie:
    """The settings of the dialect. `keys` are secret."""

    keys: str
    tenant: str
    catalogue: Path | None

    def environment(self) -> dict[str, str]:
        """Return them as the variables of a gateway process."""
        told = {"THREADWORKS_OWLIE_KEYS": self.keys, "THREADWORKS_OWLIE_TENANT": self.tenant}
        if self.catalogue is not None:
            told["THREADWORKS_OWLIE_CATALOGUE"] = str(self.catalogue)
        return told


def owlie(settings: LocalSettings) -> Owlie | None:
    """Return what the gateway is told; None: there is no such dialect. A key that is made is kept beside the data."""
    keys = settings.owlie_keys.get_secret_value() if settings.owlie_keys is not None else ""
    if not keys:
        if not settings.on_loopback:
            return None
        keys = kept_key(settings.data_dir / "owlie-keys", lambda: urlsafe_b64encode(os.urandom(32)).decode())
    tenant = settings.owlie_tenant or demo.TENANT
    catalogue = settings.owlie_catalogue or (COURSES if tenant == demo.TENANT else None)
    return Owlie(keys, tenant, catalogue.resolve() if catalogue is not None else None)
