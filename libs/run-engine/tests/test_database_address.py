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
        (
            "postgresql://me:secr/et@host/name",
            "its port is no number; a '/', '@', '#' or '?' of the password is written %2F, %40, %23 or %3F",
        ),
        (
            "postgresql://me:secret@[::1]:99999,host/name",
            "its port is no number; a '/', '@', '#' or '?' of the password is written %2F, %40, %23 or %3F",
        ),
        (
            "postgresql://me:secret@host/name?sslmode=yes",
            "sslmode has to be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgresql://me:secret@host/name?sslkey=/", "the file that sslkey names cannot be read (Is a directory)"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as refused:
        checked_address(SecretStr(url))
    assert str(refused.value) == reason
    assert refused.value.__cause__ is None


def test_certificates_that_are_none(tmp_path: Path) -> None:
    """The driver finds out only when it connects, and its error is that of a server that is away."""
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ValueError, match="the file that sslrootcert names holds no certificates"):
        checked_address(SecretStr(f"postgresql://host/name?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"))


def test_an_address_that_can(tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch()
    for url in (
        "postgresql://me@host/name",
        f"postgres://host/name?sslkey={tmp_path}/key.pem",
        "postgresql:///a",
        "postgresql://[::1]/a?sslmode=require",
        "postgresql://me:p%2Fw@one:5432,[::1]:5433/a",
        "postgresql:///a?host=/run/postgresql",
    ):
        assert checked_address(SecretStr(url)).get_secret_value() == url
