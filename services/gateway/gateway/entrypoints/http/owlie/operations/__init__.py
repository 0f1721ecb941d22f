"""The operations of `/api`: each takes a request, calls a use case, and presents what comes of it."""
