"""What clients of `/entities` may send: bodies and query strings, checked before anything is done.

As with the original, unknown fields are passed over.
"""
