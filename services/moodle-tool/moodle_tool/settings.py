"""The settings of moodle-tool, read from the environment with the prefix THREADWORKS_.

Kafka, logs and the ops port are in `tool_service.process.ToolProcessSettings`: a program that brings its own bus needs
only these here.
"""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not the name of a time zone, such as Europe/Berlin") from None
    return name


class MoodleToolSettings(BaseSettings):
    """Which Moodle, with which token, and how its courses are told."""

    model_config = SettingsConfigDict(env_prefix="THREADWORKS_", extra="ignore", allow_inf_nan=False)

    moodle_base_url: HttpUrl = Field(description="the address of your Moodle, https://…")
    """Address of Moodle, without /webservice; https outside of one machine, because the token is sent there."""
    moodle_token: SecretStr = Field(min_length=1, description="the web service token of a Moodle account")
    """Token of a Moodle account that sees what participants see. It serves all who have given none of their own."""
    moodle_time_zone: Annotated[str, AfterValidator(_zone)] = "Europe/Berlin"
    """Zone in which dates are told: the one Moodle's users live in."""
    moodle_text_limit: int = Field(default=60_000, ge=2_000, le=120_000)
    """Most characters of one course. 60 000 are about 15 000 tokens; 120 000 always fit into a tool's output."""
    moodle_request_timeout: float = Field(default=10.0, gt=0)
    """Seconds for one attempt. A course of 390 modules took a real Moodle 0.3 s."""
    moodle_call_timeout: float = Field(default=60.0, gt=0)
    """Seconds that a run waits for an answer, announced to the orchestrator. Enough to outlive a restart of this
    service or a short outage of Kafka: after that the model is told that no answer came."""
