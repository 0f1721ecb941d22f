"""The one error of this service: why a course could not be read, in words for a model and the people behind it."""


class MoodleError(Exception):
    """A course could not be read.

    `code` is machine-readable (`course_not_found`, `moodle_token_invalid`, …). `message` is English, says what the user
    or an administrator can do, and holds nothing of Moodle's own error texts, which may carry SQL, paths or addresses.
    `retryable` means that the same call may succeed in a moment; `retry_after` is what Moodle asked for, in seconds.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
