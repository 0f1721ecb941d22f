"""What is said of a database's address before anybody connects."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from run_engine.store.address import checked_address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://me:secret@host/name", "it does not begin with postgresql://"),
        ("", "it does not begin with postgresql://"),
        ("postgresql://me:secret@[host/name", "it is no address"),
        (
            "postgresql://me:secret@host/name?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
            "the file that sslrootcert names cannot be read (No such file or directory)",
        ),
        ("postgresql://me:secret@host/name?sslkey=/", "the file that sslkey names cannot be read (Is a directory)"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as refused:
        checked_address(SecretStr(url))
    assert str(refused.value) == reason
    assert refused.value.__cause__ is None


def test_an_address_that_can(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    for url in ("postgresql://me@host/name", f"postgres://host/name?sslrootcert={tmp_path}/ca.pem", "postgresql:///a"):
        assert checked_address(SecretStr(url)).get_secret_value() == url
