"""Version 1 of the Assistants API, for requests with `OpenAI-Beta: assistants=v1`: a translation of version 2.

Everything is kept as version 2 has it, so an object is the same one in both. A request's body is read by the models of
`requests/`, which know the fields of version 1 alone, and goes on as one of version 2; what is replied goes through
`presenters`. Version 2 knows nothing of it. `operations/` has what takes more than that, among it the operations on
files of assistants and of messages, which version 2 has no longer.

| version 1 | version 2 |
|---|---|
| the tool `retrieval` | the tool `file_search` |
| `file_ids` of an assistant, and of a run | `tool_resources.code_interpreter.file_ids` |
| `file_ids` of a message | `attachments`, each for `file_search` and `code_interpreter` |
| a run that is `completed` | one that is `completed` or `incomplete` |
| a run's `last_error.code` `server_error` | `server_error` or `invalid_prompt` |
| a `text` part | `text`, `refusal` (its words), `image_url` (its address) |

Objects have the fields that version 1 had when it learned to stream (March 2024) and no others.
"""
