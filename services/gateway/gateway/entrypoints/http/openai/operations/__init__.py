"""The operations of `/v1`, one module a resource: from a `Call` to a `Reply` through the engine."""
