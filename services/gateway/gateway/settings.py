"""The settings of the gateway, read from the environment with the prefix THREADWORKS_.

What every service has as a process (Kafka, the log, the ops port) is in `service_process.ProcessSettings`. A program
that brings its own bus makes these here by keyword and needs nothing else.
"""

import re
from base64 import urlsafe_b64decode
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from file_store import checked_files_url
from message_contracts.catalogue import checked_services
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, HttpUrl, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from run_engine.store.address import checked_address

from gateway.application.course_catalogue import CourseCatalogue, read_catalogue

_PIN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}=[0-9a-f]{64}", re.ASCII)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _fernet_keys(keys: SecretStr) -> SecretStr:
    for key in _listed(keys.get_secret_value()):
        try:
            usable = len(urlsafe_b64decode(key)) == 32
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("it is no comma-separated list of Fernet keys, url-safe base64 of 32 bytes each")
    return keys


def _networks(text: str) -> str:
    for each in _listed(text):
        try:
            ip_network(each)
        except ValueError:
            raise ValueError("it is no comma-separated list of addresses and networks as 10.0.0.0/8") from None
    return text


def _pins(text: str) -> str:
    for each in _listed(text):
        if _PIN.fullmatch(each) is None:
            raise ValueError(
                "it is no comma-separated list of services and fingerprints of their keys, moodle=<64 digits>,…"
            )
    return text


def _catalogue(value: Any) -> Any:
    if value == "":
        return None
    return read_catalogue(Path(value)) if isinstance(value, str | Path) else value


class GatewaySettings(BaseSettings):
    """Where the gateway listens, where its database is, and what its dialects allow."""

    model_config = SettingsConfigDict(
        env_prefix="THREADWORKS_", extra="ignore", populate_by_name=True, frozen=True, allow_inf_nan=False
    )

    database_url: Annotated[SecretStr, AfterValidator(checked_address)] = Field(
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
    tool_services: Annotated[str, AfterValidator(checked_services)] = "moodle"
    """Names of the tool services that may be asked outside of runs, separated by commas; what others announce is
    ignored. The orchestrators are told the same."""
    tool_service_keys: Annotated[str, AfterValidator(_pins)] = ""
    """Fingerprints of the keys that users' own credentials may be sealed with, `moodle=<64 hex digits>,…`; while
    a key is rotated a service is named twice. Without any the key is taken that a service announces, so that whoever
    may write to that topic could have credentials sealed for himself: set them wherever Kafka is not yours alone."""
    cors_origins: str = ""
    """Origins whose pages may call from a browser, `https://chat.example.org,…`, or `*` for all. None by default: keys
    belong on servers. A front end of the Owlie dialect needs its own origin here."""
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    """Addresses or networks of the proxies before the gateway, separated by commas: what they say in X-Forwarded-For is
    believed. None by default, because anybody can write that header."""
    owlie_keys: Annotated[SecretStr, AfterValidator(_fernet_keys)] | None = None
    """Fernet keys that the ids of the Owlie dialect (`/api`, `/ws`) are encrypted with, separated by commas: the first
    encrypts, all decrypt. Without keys there is no such dialect, for whoever reaches it needs no other key."""
    owlie_tenant: Annotated[str | None, BeforeValidator(lambda tenant: tenant or None)] = None
    """The tenant whose things the Owlie dialect is about. It needs one."""
    owlie_catalogue: Annotated[CourseCatalogue | None, NoDecode, BeforeValidator(_catalogue)] = None
    """Path of the course catalogue, YAML or JSON: docs/guides/owlie.md. Without one there are no courses."""
    owlie_greeting: str = Field(
        default="Bitte begrüße mich kurz und sage mir, wobei du mir helfen kannst.", min_length=1, max_length=4096
    )
    """The hidden message that a new chat begins with; the assistant's answer to it is the first a student reads."""
    owlie_requests_per_minute: int = Field(default=600, ge=0)
    """Requests that one client address may make to the Owlie dialect in a minute, for each gateway process; 0 is no
    limit. A front end asks about once a second while an answer is written, and a lecture hall may share one address."""
    owlie_wait_seconds: float = Field(default=55.0, gt=0, le=600)
    """How long send_and_wait waits for an answer; proxies give up after a minute."""
    owlie_largest_file: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Bytes of a file above which /api/upload refuses it with 413. Less than with a key, for anybody may."""

    @model_validator(mode="after")
    def _owlie_has_a_tenant(self) -> Self:
        if self.owlie_key_list and self.owlie_tenant is None:
            raise ValueError("THREADWORKS_OWLIE_KEYS needs THREADWORKS_OWLIE_TENANT, the tenant that is asked")
        return self

    @property
    def owlie_key_list(self) -> list[str]:
        """`owlie_keys` as a list."""
        return [] if self.owlie_keys is None else _listed(self.owlie_keys.get_secret_value())

    @property
    def tool_service_names(self) -> list[str]:
        """`tool_services` as a list."""
        return _listed(self.tool_services)

    @property
    def trusted_keys(self) -> dict[str, frozenset[str]]:
        """`tool_service_keys` as fingerprints by service."""
        pairs = [each.split("=") for each in _listed(self.tool_service_keys)]
        return {service: frozenset(key for name, key in pairs if name == service) for service, _ in pairs}

    @property
    def cors_origin_list(self) -> list[str]:
        """`cors_origins` as a list."""
        return _listed(self.cors_origins)

    @property
    def trusted_proxy_list(self) -> list[str]:
        """`trusted_proxies` as a list."""
        return _listed(self.trusted_proxies)

    agents_timeout: float = Field(default=100.0, gt=0, le=3600)
    """Seconds that POST /agents/v1/threads/{id}/run waits for the answer before it is refused with 504; the run goes
    on. Below the 120 seconds after which many clients and proxies give up by themselves, and would not learn why."""
    agents_requests_per_minute: int = Field(default=600, ge=0)
    """Requests that one API key may make to /agents in a minute, at each gateway process; more are refused with 429.
    Ten a second are more than a person's app makes, and stop one that has lost control. 0: as many as it likes."""
