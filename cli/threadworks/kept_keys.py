"""Keys that `run` and `up` make on first use and keep in the data folder, so that a newcomer has to set none."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from tool_service.sealing import SealingKey

from threadworks.settings import LocalSettings

SEALING_KEYS: Final = "tool-sealing-keys"
"""File in the data folder: the key of the demo's tool service for users' own credentials."""


def kept_key(file: Path, new: Callable[[], str]) -> str:
    """Return the key in a file that only its owner may read; it is made when it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    key = new()
    with os.fdopen(descriptor, "w") as written:
        written.write(key + "\n")
    return key


def sealing_keys(settings: LocalSettings) -> SecretStr:
    """Return the private keys of the tool service: those that are set, else one that is made and kept."""
    if settings.tool_sealing_keys is not None and settings.tool_sealing_keys.get_secret_value():
        return settings.tool_sealing_keys
    return SecretStr(kept_key(settings.data_dir / SEALING_KEYS, lambda: SealingKey.new().private))
