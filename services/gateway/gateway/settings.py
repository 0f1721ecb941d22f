"""The settings of the gateway, read from the environment with the prefix THREADWORKS_.

What every service has as a process (Kafka, the log, the ops port) is in `service_process.ProcessSettings`. A program
that brings its own bus makes these here by keyword and needs nothing else.
"""

from pathlib import Path
from typing import Annotated, Literal

from file_store import checked_files_url
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _postgresql(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("it does not begin with postgresql://")
    return url


class GatewaySettings(BaseSettings):
    """Where the gateway listens, where its database is, and what its dialects allow."""

    model_config = SettingsConfigDict(env_prefix="THREADWORKS_", extra="ignore", populate_by_name=True, frozen=True)

    database_url: Annotated[SecretStr, AfterValidator(_postgresql)] = Field(
        description="the address of a migrated PostgreSQL, postgresql://user:password@host:port/name"
    )
    """`postgresql://user:password@host:port/name` of a PostgreSQL 15 or newer, migrated. Secret: holds a password."""
    host: str = "127.0.0.1"
    """Address to listen on. Loopback, because whoever reaches the port may try keys; a container needs 0.0.0.0."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    listen_fd: int | None = Field(default=None, ge=3)
    """Number of an inherited file descriptor that listens already, instead of host and port: several gateways share
    one socket so (`threadworks up`), and the kernel gives each connection to one of them."""
    database_connections: int = Field(default=10, ge=2, le=500)
    """Most connections to PostgreSQL. Statements take about a millisecond, so ten carry thousands of requests a
    second; all processes together must stay below the server's max_connections."""
    openai_base_url: HttpUrl = Field(
        default=HttpUrl("https://api.openai.com/v1"),
        validation_alias=AliasChoices("openai_base_url", "OPENAI_BASE_URL"),
    )
    """Address of the OpenAI-compatible API that the orchestrators ask, up to and with /v1: GET /v1/models lists its
    models."""
    openai_api_key: Annotated[SecretStr | None, BeforeValidator(lambda key: key or None)] = Field(
        default=None, validation_alias=AliasChoices("openai_api_key", "OPENAI_API_KEY")
    )
    """Key for it. Without one GET /v1/models lists `demo` alone: runs are the orchestrators', which have their own."""
    event_content: Literal["inline", "reference"] = "inline"
    """Whether public events carry text inline or by reference. The production overlay says `reference`."""
    largest_body: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Bytes of a request body above which it is refused with 413. 16 MiB hold 64 of the longest messages there are
    (256 000 characters). A body is parsed in one piece, so this also bounds how long one request can hold the loop:
    a fifth of a second where it is text, some seconds where it is hundreds of thousands of tiny parts."""
    data_dir: Path = Path(".threadworks")
    """Folder for data; uploaded files go into its subfolder `files` where `files_url` is not set. Orchestrators have to
    see the same folder."""
    files_url: Annotated[str, AfterValidator(checked_files_url)] | None = None
    """`s3://bucket/prefix` of an S3-compatible store for uploaded files, with its credentials and address in the usual
    AWS_… variables. Without it files are kept in a folder, which suits one machine."""
    largest_file: int = Field(default=512 * 1024 * 1024, ge=1024)
    """Bytes of an uploaded file above which it is refused with 413. 512 MiB, as OpenAI had it. It is never held in
    memory."""
    poll_after_ms: int = Field(default=100, ge=1, le=60_000)
    """Milliseconds that the polling helpers of the SDKs are told to wait while a run is active. Without the header
    they wait a second; a poll costs one indexed row."""
    require_beta_header: bool = False
    """Strict mode: refuse requests on /v1 without `OpenAI-Beta: assistants=v2` (or `=v1`), as OpenAI did. Off, because
    plenty of clients in the field do not send it."""
