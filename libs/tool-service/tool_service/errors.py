"""The error that a tool function raises to tell the model what went wrong."""


class ToolError(Exception):
    """A call could not be answered.

    `code` is a short machine-readable word (`not_found`); `message` is for the model, which repeats it to a user: say
    what happened and what can be done about it, and put no secret into it. Both reach the model as they are.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


# The codes that the library itself uses. The orchestrator adds its own for calls that no service answered.
INVALID_ARGUMENTS = "invalid_arguments"
UNKNOWN_FUNCTION = "unknown_function"
DEADLINE_EXCEEDED = "deadline_exceeded"
OUTPUT_TOO_LARGE = "output_too_large"
INTERNAL_ERROR = "internal_error"
CREDENTIAL_UNUSABLE = "credential_unusable"
