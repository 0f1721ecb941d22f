"""How a call of the model can go wrong, in words that do not depend on who serves the model.

Raised by the model adapter and by `ending`; `retries` decides what follows. `detail` is a sentence for the owner of the
run: it ends up in `last_error`, so it never holds a key or an address.
"""

from enum import StrEnum


class FailureKind(StrEnum):
    """Kinds of failure; each one is treated in its own way."""

    RATE_LIMITED = "rate_limited"
    """Too many requests: worth waiting for, as long as the run lives."""
    OUT_OF_QUOTA = "out_of_quota"
    """The account may spend no more: waiting does not help."""
    UNAVAILABLE = "unavailable"
    """The server failed, did not answer in time, or broke off: worth a few more tries."""
    INVALID_PROMPT = "invalid_prompt"
    """The server will never accept this request."""
    CONTEXT_OVERFLOW = "context_overflow"
    """The request is longer than the model can read: worth one more try with less."""
    REFUSED = "refused"
    """The server does not let us in, or does not know the model: an operator has to mend it."""
    UNUSABLE_REPLY = "unusable_reply"
    """The model answered something that means nothing: worth another try, models are not deterministic."""


class ModelFailure(Exception):
    """One call of the model failed."""

    def __init__(self, kind: FailureKind, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        """Seconds that the server asks to wait, where it does."""
