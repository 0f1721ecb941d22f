"""`/entities/v1`: users and what they say in threads, as apps of entities_api (September 2024) know it.

Names, ids, envelope and status words of that API are here, and no rule: what a run, a thread or a message is, the
engine says. `docs/guides/entities.md` tells what differs from the original, and why.
"""
