"""The settings of the run-orchestrator, from the environment: THREADWORKS_…, OPENAI_BASE_URL and OPENAI_API_KEY."""

from pathlib import Path
from typing import Annotated, Any, Literal

from file_store import checked_files_url
from message_contracts.catalogue import checked_services
from pydantic import AfterValidator, AliasChoices, Field, HttpUrl, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from run_engine.store.address import checked_address


def _fit_for_a_header(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text.isascii() or not text.isprintable() or text != text.strip():
        # A file that a Secret is made of often ends in a line break; every request would fail.
        raise ValueError("it has a line break, a space at an end or a character that is not ASCII")
    return key


class OrchestratorSettings(BaseSettings):
    """What the service needs whatever bus it runs on; `threadworks run` gives these by keyword."""

    model_config = SettingsConfigDict(
        env_prefix="THREADWORKS_", extra="ignore", populate_by_name=True, frozen=True, allow_inf_nan=False
    )

    database_url: Annotated[SecretStr, AfterValidator(checked_address)] = Field(
        description="the address of a migrated PostgreSQL, postgresql://user:password@host:port/name"
    )
    """`postgresql://user:password@host/name` of the run engine's database. Secret because of the password."""
    database_connections: int = Field(default=10, ge=1, le=200)
    """Most connections to PostgreSQL. A run needs one for a millisecond at a time, so ten serve 200 runs."""
    openai_base_url: HttpUrl = Field(
        default=HttpUrl("https://api.openai.com/v1"),
        validation_alias=AliasChoices("openai_base_url", "OPENAI_BASE_URL"),
    )
    """Address of an OpenAI-compatible API, up to and with /v1."""
    openai_api_key: Annotated[SecretStr, AfterValidator(_fit_for_a_header)] = Field(
        min_length=1,
        validation_alias=AliasChoices("openai_api_key", "OPENAI_API_KEY"),
        description="the API key of the model's server",
    )
    """Key for it. Required: without one every run would fail."""
    demo_model: str = Field(default="demo", min_length=1)
    """The model that `demo`, the demo assistant's model name, stands for at that address. `demo` fits the simulator."""
    places: int = Field(default=200, ge=1, le=10_000)
    """Runs driven at once. A run mostly waits for its model; 200 of them keep about one core busy."""
    model_connect_timeout: float = Field(default=5.0, gt=0)
    """Seconds to reach the model's server: far more than a connection takes, far less than a person waits."""
    model_read_timeout: float = Field(default=60.0, gt=0)
    """Longest silence of a model in seconds, before its first chunk or between two. Raise it for models that think
    longer before they speak."""
    model_tries: int = Field(default=6, ge=1, le=20)
    """Calls of a model that fails or does not answer before the run fails: with the pauses between them about 15 s."""
    prompt_messages: int = Field(default=2_000, ge=1)
    """Newest messages of a thread that a prompt takes, for runs that set no limit themselves; fewer where they do not
    fit into the model's context window. It bounds what the reading of a very long thread costs."""
    prompt_characters: int = Field(default=1_000_000, ge=1_000)
    """Characters of messages that a prompt takes at the most: about 250 000 tokens. It bounds the memory of a run."""
    context_tokens: int = Field(default=128_000, ge=1_000)
    """Context window, in tokens, of a model that no list names: prompt and answer together. Most models of today have
    this one or a larger one."""
    context_windows: dict[str, PositiveInt] = Field(
        default_factory=dict, description='a JSON object of tokens by the beginning of a model\'s name, {"name": 8192}'
    )
    """Context windows by the beginning of a model's name, as JSON: `{"llama-3.1-8b": 8192}`. They go before our own
    list, which has those of OpenAI's models; the longest beginning that fits counts."""
    answer_tokens: int = Field(default=4_096, ge=1)
    """Tokens of the context window that a prompt leaves to the answer, for runs that set no `max_completion_tokens`;
    never more than half of the window."""
    tool_services: Annotated[frozenset[str], NoDecode] = frozenset({"moodle"})
    """Names of the tool services that may answer calls, separated by commas; what others announce is ignored. Runs are
    not claimed before all of them have announced, at most `tool_service_wait`."""
    tool_service_wait: float = Field(default=30.0, ge=0)
    """Seconds after the start in which a missing tool service holds up all runs. After that its functions are taken
    for the client's until it announces."""
    data_dir: Path = Path(".threadworks")
    """Folder for data; uploaded files are read from its subfolder `files` where `files_url` is not set.
    The gateways'."""
    files_url: Annotated[str, AfterValidator(checked_files_url)] | None = None
    """`s3://bucket/prefix` of an S3-compatible store of uploaded files, with its credentials and address in the usual
    AWS_… variables. The gateways'."""
    drain_seconds: float = Field(default=45.0, ge=0)
    """Seconds that a shutdown lets runs go on, because their answers are paid for; what is left is handed back."""
    event_content: Literal["inline", "reference"] = "inline"
    """Whether public events carry text up to 64 KiB, or always a reference to it (data protection)."""

    @field_validator("tool_services", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return {name.strip() for name in checked_services(value).split(",") if name.strip()}
