"""The ports of `application` on real things: a model behind HTTP, the run engine's store."""
