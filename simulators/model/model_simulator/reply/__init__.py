"""The reply to a request: planned, then played onto the connection in OpenAI's shapes."""
