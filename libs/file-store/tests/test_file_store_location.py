"""From settings to a store."""

from pathlib import Path

import pytest
from file_store import checked_files_url, open_file_store


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/a/prefix"])
def test_addresses_of_buckets(url: str) -> None:
    assert checked_files_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bucket",
        "http://bucket/x",
        "file:///tmp",
        "s3://",
        "s3:///prefix",
        "s3://key:secret@bucket/x",
        "s3://bucket:80/x",
        "s3://bucket?secret=1",
        "s3://[bucket",
    ],
)
def test_anything_else_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="must be s3://bucket") as caught:
        checked_files_url(url)
    assert "secret" not in str(caught.value)


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    open_file_store(None, tmp_path / "data")
    assert (tmp_path / "data" / "files").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OSError, match=r"data/files cannot be made \(Not a directory\): set THREADWORKS_DATA_DIR"):
        open_file_store(None, tmp_path / "data")


async def test_a_bucket_needs_no_credentials_in_its_address(aws: object, tmp_path: Path) -> None:
    aws.create_bucket(Bucket="plain")  # type: ignore[attr-defined]  # boto3 makes its methods when it runs
    store = open_file_store("s3://plain", tmp_path)
    await store.delete("ab/nothing")
    assert not (tmp_path / "files").exists()
