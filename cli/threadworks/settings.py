"""The settings of the `threadworks` command, from the environment with the prefix THREADWORKS_."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from file_store import checked_files_url
from message_contracts.catalogue import checked_services
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from run_engine.store.address import checked_address
from service_process import Brokers, load_settings


def _address(text: str) -> str:
    """Return `text`, which has to be empty or an address of the web. Raises ValueError."""
    try:
        _ADDRESSES.validate_python(text or "http://nobody")
    except ValidationError:
        raise ValueError("it does not begin with http:// or https:// and a host's name") from None
    return text


_ADDRESSES: Final = TypeAdapter(HttpUrl)
Address = Annotated[str, AfterValidator(_address)]


class LocalSettings(BaseSettings):
    """What `run`, `up` and the operator's commands are told. Everything has a default: a laptop needs no setting."""

    model_config = SettingsConfigDict(env_prefix="THREADWORKS_", extra="ignore", populate_by_name=True)

    host: str = "127.0.0.1"
    """Address of the gateway. Only on loopback is there a demo key."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port of the gateway; 0 takes a free one."""
    data_dir: Path = Path(".threadworks")
    """Folder for the data of local servers, for uploaded files and for logs."""
    files_url: Annotated[str, AfterValidator(checked_files_url)] | None = None
    """`s3://bucket/prefix` of an S3-compatible store for uploaded files, with AWS_… variables; without it they are kept
    in the data folder."""
    database_url: Annotated[SecretStr, AfterValidator(checked_address)] | None = Field(
        default=None, description="the address of a PostgreSQL, postgresql://user:password@host:port/name"
    )
    """A PostgreSQL (15 or newer) of your own; without it a local one is started."""
    kafka_bootstrap: Brokers | None = None
    """A Kafka of your own, `host:port[,host:port]`, for `up` and `topics`; without it `up` starts a local one."""
    moodle_base_url: Address | None = None
    """A Moodle of your own; without it the Moodle simulator answers."""
    moodle_token: SecretStr | None = None
    """Token of an account of that Moodle's web service."""
    tool_services: Annotated[str, AfterValidator(checked_services)] = "moodle"
    """Names of the tool services that may answer calls, separated by commas."""
    tool_sealing_keys: SecretStr | None = None
    """Private keys that users' own credentials for the tool service are sealed for, separated by commas. Without any,
    one is made and kept in the data folder."""
    tool_service_keys: str = ""
    """Fingerprints of the keys that credentials may be sealed with, `moodle=<64 hex digits>,…`; empty takes the
    announced ones."""
    demo_model: str | None = None
    """The model that the name `demo` stands for. Default: the simulator's, or gpt-4o-mini on a real model."""
    owlie_keys: SecretStr | None = None
    """Keys of the Owlie dialect, separated by commas. Without any, one is made and kept in the data folder, on loopback
    only."""
    owlie_tenant: str | None = None
    """The tenant that the Owlie dialect is about. Default: the demo's."""
    owlie_catalogue: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = None
    """The course catalogue of the Owlie dialect. Default: the demo's, for the demo's tenant."""
    ops_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of /healthz, /readyz and /metrics of `run`, 0 for any free one; without it there is none. Of `up`, each
    process has a free one."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` writes text for people on a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Events below this level are dropped."""
    openai_base_url: Address | None = Field(default=None, validation_alias=AliasChoices("OPENAI_BASE_URL"))
    """An OpenAI-compatible API; without it and without a key the model simulator answers."""
    openai_api_key: SecretStr | None = Field(default=None, validation_alias=AliasChoices("OPENAI_API_KEY"))
    """The key for it."""

    @model_validator(mode="after")
    def _a_moodle_needs_a_token(self) -> Self:
        if self.moodle_base_url and self.moodle_token is None:
            raise ValueError("THREADWORKS_MOODLE_BASE_URL needs THREADWORKS_MOODLE_TOKEN, a token of its web service")
        return self

    @property
    def simulates_model(self) -> bool:
        """Whether no model was given."""
        return not self.openai_base_url and self.openai_api_key is None

    @property
    def simulates_moodle(self) -> bool:
        """Whether no Moodle was given."""
        return not self.moodle_base_url

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches the gateway."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def tool_service_names(self) -> list[str]:
        """`tool_services` as a list."""
        return [name.strip() for name in self.tool_services.split(",") if name.strip()]

    @property
    def database_url_file(self) -> Path:
        """Where `run` and `up` write the address of the local database, for the other commands."""
        return self.data_dir / "database-url"


def local_settings() -> LocalSettings:
    """The settings from the environment; a wrong one ends the command with one line and exit code 2."""
    (settings,) = load_settings("threadworks", LocalSettings)
    return settings
