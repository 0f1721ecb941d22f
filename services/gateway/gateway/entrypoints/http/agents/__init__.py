"""`/agents/v1`: synchronous agents. A client adds messages to a thread, asks for the answer, and gets it in the reply.

Names, ids, envelope and shapes are here, and no rule: what can be answered, and by whom, `application.answering` and
the engine say. `docs/guides/agents.md` tells what differs from the original, and why.
"""
