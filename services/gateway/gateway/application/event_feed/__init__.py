"""The public events of a tenant, as they happen and from any place on.

All of it is read from the event bus: what other services see over Kafka is what subscribers over HTTP see. One reader a
process serves everybody who is up to date (`live`); whoever comes back to an earlier place has a reader of their own
until they are (`reading`).
"""
