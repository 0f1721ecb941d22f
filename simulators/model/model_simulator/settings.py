"""What can be set on a model simulator, by environment, command line or keyword."""

from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SimulatorSettings(BaseSettings):
    """The settings of one simulator; environment names have the prefix THREADWORKS_MODEL_SIMULATOR_."""

    model_config = SettingsConfigDict(
        env_prefix="THREADWORKS_MODEL_SIMULATOR_",
        frozen=True,
        populate_by_name=True,
        extra="ignore",
        cli_prog_name="model_simulator",
        cli_kebab_case=True,
    )

    host: str = Field(
        default="127.0.0.1", description="Address to listen on. Loopback, because the control paths ask for no key."
    )
    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port to listen on; 0 takes a free one, so that two copies never collide.",
    )
    model: str = Field(
        default="demo", min_length=1, description="Name that GET /v1/models lists; any other name is answered too."
    )
    tokens_per_second: float = Field(
        default=0.0,
        ge=0,
        description="Pace of an answer; 0 is as fast as the connection takes it, which tests and benchmarks want.",
    )
    first_token_seconds: float = Field(
        default=0.0,
        ge=0,
        description="Seconds before the first token; a real model needs 0.3 to 1. 0 for the same reason.",
    )
    context_tokens: int = Field(
        default=128_000, ge=1, description="Prompt tokens above which a request is refused, as current models do."
    )
    largest_body: int = Field(
        default=32 * 1024 * 1024, ge=1, description="Bytes of a request body above which it is refused."
    )
    requests_kept: int = Field(
        default=200, ge=0, description="How many requests GET /control/requests remembers; older ones are only counted."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        validation_alias=AliasChoices("log_format", "THREADWORKS_LOG_FORMAT"),
        description="auto, json or console; auto is console on a terminal. Shared with the services.",
    )
    log_level: str = Field(
        default="info",
        validation_alias=AliasChoices("log_level", "THREADWORKS_LOG_LEVEL"),
        description="debug, info, warning or error. Shared with the services.",
    )
