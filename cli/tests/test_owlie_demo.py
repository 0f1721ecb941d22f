"""The Owlie dialect of `run` and `up`: keys that are kept, the demo's courses, and nothing beyond loopback."""

import stat
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from gateway.application.course_catalogue import read_catalogue
from pydantic import SecretStr
from threadworks import demo
from threadworks.owlie_demo import COURSES, owlie
from threadworks.settings import LocalSettings


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = LocalSettings(data_dir=tmp_path / "data")
    first = owlie(settings)
    assert first is not None
    assert len(urlsafe_b64decode(first.keys)) == 32
    kept = tmp_path / "data" / "owlie-keys"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert owlie(settings) == first
    assert first.environment() == {
        "THREADWORKS_OWLIE_KEYS": first.keys,
        "THREADWORKS_OWLIE_TENANT": demo.TENANT,
        "THREADWORKS_OWLIE_CATALOGUE": str(COURSES),
    }
    other = owlie(LocalSettings(data_dir=tmp_path / "elsewhere"))
    assert other is not None
    assert other.keys != first.keys


def test_who_is_reached_from_elsewhere_has_to_set_keys(tmp_path: Path) -> None:
    assert owlie(LocalSettings(data_dir=tmp_path, host="0.0.0.0")) is None
    assert list(tmp_path.iterdir()) == []
    set_by_hand = owlie(LocalSettings(data_dir=tmp_path, host="0.0.0.0", owlie_keys=SecretStr("a,b")))
    assert set_by_hand is not None
    assert set_by_hand.keys == "a,b"


def test_another_tenant_has_no_courses_of_the_demo(tmp_path: Path) -> None:
    told = owlie(LocalSettings(data_dir=tmp_path, owlie_tenant="university"))
    assert told is not None
    assert (told.tenant, told.catalogue) == ("university", None)
    assert "THREADWORKS_OWLIE_CATALOGUE" not in told.environment()


def test_a_setting_that_is_empty_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEYS", "TENANT", "CATALOGUE"):
        monkeypatch.setenv(f"THREADWORKS_OWLIE_{name}", "")
    told = owlie(LocalSettings(data_dir=tmp_path))
    assert told is not None
    assert (told.tenant, told.catalogue) == (demo.TENANT, COURSES)
    assert urlsafe_b64decode(told.keys)


def test_the_course_of_the_demo() -> None:
    catalogue = read_catalogue(COURSES)
    assert catalogue.courses_of("htw_berlin", "bachelor", "wirtschaftsinformatik") == ["Tutorinnenqualifizierung"]
    assert catalogue.assistant_of("Tutorinnenqualifizierung", "general") == demo.ASSISTANT
    assert catalogue.has_course("51589")
