"""What bodies and query strings of `/v1` may be, as pydantic models, and how a body becomes one (`parsing.parse`).

Each model knows how to make the engine's draft of itself. Types are strict, unknown fields are refused, and limits are
those of the API; what a client is told about a violation is worded in `wording`.
"""
