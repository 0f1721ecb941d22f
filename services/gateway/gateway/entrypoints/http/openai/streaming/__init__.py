"""Server-sent events of this dialect: what a reader of a run is told, in OpenAI's words and as its SDKs read it.

`event_ids` names places in a run, `event_writer` makes the bytes of events, `event_stream` is the reply.
"""
