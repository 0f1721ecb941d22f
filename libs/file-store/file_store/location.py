"""Where the bytes are: from the settings of a service to an open store. Called by the services' `bootstrap`."""

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from obstore.store import LocalStore, S3Store

from file_store.store import FileStore

if TYPE_CHECKING:
    from obstore.store import S3Config

FOLDER: Final = "files"
"""The folder below the data folder."""
_CONNECT: Final = timedelta(seconds=5)
_REQUEST: Final = timedelta(seconds=60)
"""For one request, which moves some MiB at the most."""
_RETRY: Final = timedelta(seconds=30)
"""For one request with all its repeats; a client waits for it."""


def checked_files_url(url: str) -> str:
    """Return `url` if it is `s3://bucket` or `s3://bucket/prefix`. Raises ValueError, without repeating it."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "s3" and parts.hostname == parts.netloc and not parts.query and not parts.fragment
    except ValueError:
        plain = False
    if not plain:
        raise ValueError("it must be s3://bucket or s3://bucket/prefix, with the credentials in AWS_… variables")
    return url


def open_file_store(files_url: str | None, data_dir: Path) -> FileStore:
    """Return the S3 store at `files_url`, or the folder `files` in `data_dir` where there is no URL.

    An S3 store is told the rest by the standard AWS_… variables; it is not asked anything before it is used. Raises
    OSError where the folder cannot be made; its text names the setting.
    """
    if files_url is None:
        folder = (data_dir / FOLDER).resolve()
        # Only whoever runs the server may read what its users have uploaded.
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{folder} cannot be made ({error.strerror}): set THREADWORKS_DATA_DIR") from error
        return FileStore(LocalStore(prefix=folder, mkdir=True), folder=folder)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    config: S3Config = {"endpoint": endpoint} if endpoint else {}
    store = S3Store.from_url(
        checked_files_url(files_url),
        config=config,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": _CONNECT,
            "timeout": _REQUEST,
        },
        retry_config={"max_retries": 3, "retry_timeout": _RETRY},
    )
    return FileStore(store)
