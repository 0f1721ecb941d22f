"""The dialect `/v1`: OpenAI's Assistants API, version 2, word for word.

`paths` lists the operations; `operations/` handles them, one module a resource; `requests/` says what a body may be and
`refusals` what a client is told where it is not; `presenters/` makes the objects of the reply; `document/`
describes all of it. Two rules of OpenAI's that are easy to soften by accident are kept on purpose:

* A field that is not in the API is refused, at every depth (`Unknown parameter: 'x'.`). OpenAI did the same, so no app
  that worked there sends one, and a misspelled field is found instead of silently ignored. Only what the API leaves
  open (`function.parameters`, `json_schema.schema`, `metadata`) takes any name.
* A value has to have the type the API names; nothing is converted.

Softer than OpenAI, because SDKs and languages differ: an optional field may be `null`, which means that it was not
given, and where an object is expected the body may be missing or be `[]` (PHP's empty array).

Streams (`stream: true`, server-sent events) are written by `streaming/` from the same presenters.
"""
