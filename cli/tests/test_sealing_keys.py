"""Keys for users' own credentials: made by the command, and by `run` and `up` where none are set."""

import stat
from pathlib import Path

from pydantic import SecretStr
from threadworks.__main__ import command
from threadworks.kept_keys import sealing_keys
from threadworks.settings import LocalSettings
from tool_service.sealing import SealingKey, SealingKeys
from typer.testing import CliRunner


def test_the_command_prints_a_key_with_its_public_half_and_fingerprint() -> None:
    first, second = (CliRunner().invoke(command(), ["keys", "sealing"]).output for _ in range(2))
    assert first != second
    lines = [line.removeprefix(name).split()[0] for line, name in zip(first.splitlines(), _NAMES, strict=True)]
    key = SealingKey.read(lines[0])
    assert lines == [key.private, key.public, key.fingerprint]


_NAMES = ("private key", "public key", "fingerprint")


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = LocalSettings(data_dir=tmp_path / "data", host="0.0.0.0")
    made = sealing_keys(settings)
    assert SealingKeys.read(made).public_key is not None
    assert stat.S_IMODE((tmp_path / "data" / "tool-sealing-keys").stat().st_mode) == 0o600
    assert sealing_keys(settings) == made


def test_keys_that_are_set_are_taken(tmp_path: Path) -> None:
    keys = SecretStr(f"{SealingKey.new().private},{SealingKey.new().private}")
    assert sealing_keys(LocalSettings(data_dir=tmp_path, tool_sealing_keys=keys)) == keys
    assert list(tmp_path.iterdir()) == []
