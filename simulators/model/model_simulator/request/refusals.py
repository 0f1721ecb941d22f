"""HTTP errors with the bodies and words of OpenAI's API, so that clients map them as they map the real ones.

`Refusal.named` gives those that a script or a model name can ask for.
"""

from dataclasses import dataclass, field
from typing import Any, Self

import orjson


class RefusedError(Exception):
    """The request is answered with this refusal; raised where the reason is found."""

    def __init__(self, refusal: "Refusal") -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP error to answer with instead of a completion. `headers` are lower-case names and their values."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Self:
        """Build OpenAI's envelope: `{"error": {message, type, param, code}}`."""
        envelope = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        return cls(status, orjson.dumps(envelope), headers or {})

    @classmethod
    def named(cls, name: str, *, model: str, prompt_tokens: int, context_tokens: int) -> Self:
        """Build the refusal of that name (see `NAMES`). Raises KeyError for an unknown one."""
        preset = dict(_PRESETS[name])
        message = preset.pop("message").format(model=model, prompt_tokens=prompt_tokens, context_tokens=context_tokens)
        return cls.of(preset.pop("status"), message, **preset)


_PRESETS: dict[str, dict[str, Any]] = {
    "context_length_exceeded": {
        "status": 400,
        "message": "This model's maximum context length is {context_tokens} tokens. However, your messages resulted in "
        "{prompt_tokens} tokens. Please reduce the length of the messages.",
        "param": "messages",
        "code": "context_length_exceeded",
    },
    "invalid_api_key": {
        "status": 401,
        "message": "Incorrect API key provided. You can find your API key at the place you got it from.",
        "code": "invalid_api_key",
    },
    "permission_denied": {
        "status": 403,
        "message": "You are not allowed to sample from this model",
        "code": "permission_denied",
    },
    "model_not_found": {
        "status": 404,
        "message": "The model `{model}` does not exist or you do not have access to it.",
        "code": "model_not_found",
    },
    "rate_limit_exceeded": {
        "status": 429,
        "message": "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1. "
        "Please try again in 1s.",
        "kind": "requests",
        "code": "rate_limit_exceeded",
        "headers": {"retry-after": "1", "retry-after-ms": "1000"},
    },
    "insufficient_quota": {
        "status": 429,
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "kind": "insufficient_quota",
        "code": "insufficient_quota",
    },
    "server_error": {
        "status": 500,
        "message": "The server had an error while processing your request. Sorry about that!",
        "kind": "server_error",
    },
    "overloaded": {
        "status": 503,
        "message": "The engine is currently overloaded, please try again later",
        "kind": "service_unavailable_error",
    },
}

NAMES = frozenset(_PRESETS)

# What `+status=429` in a model name stands for.
NAME_OF_STATUS = {
    400: "context_length_exceeded",
    401: "invalid_api_key",
    403: "permission_denied",
    404: "model_not_found",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "overloaded",
}

NO_KEY = Refusal.of(
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY).",
)
