"""A store of each kind: a folder, and a bucket on a real HTTP server that speaks S3."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from file_store import FileStore, open_file_store
from moto.server import ThreadedMotoServer

SECRET = "the-secret-of-the-store"


@dataclass
class Place:
    """A store, and what can be seen of it from outside."""

    store: FileStore
    kind: str
    folder: Path
    client: Any = None
    bucket: str = ""

    def visible(self) -> set[str]:
        """The keys of everything that is whole."""
        if self.kind == "folder":
            found = {str(each.relative_to(self.folder)) for each in self.folder.rglob("*") if each.is_file()}
            return {key for key in found if "#" not in key}
        listed = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {each["Key"].removeprefix("a/prefix/") for each in listed}

    def unfinished(self) -> list[str]:
        """What uploads that did not come to their end have left."""
        if self.kind == "folder":
            return [str(each) for each in self.folder.rglob("*#*")]
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])]


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The standard variables, pointed at the server, and a client that looks at it from outside."""
    told = {
        "AWS_ENDPOINT_URL": s3_address,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3", region_name="us-east-1")


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(open_file_store(None, tmp_path), "folder", tmp_path / "files")
    client, bucket = request.getfixturevalue("aws"), f"bucket-{uuid4()}"
    client.create_bucket(Bucket=bucket)
    return Place(open_file_store(f"s3://{bucket}/a/prefix", tmp_path), "s3", tmp_path, client, bucket)
