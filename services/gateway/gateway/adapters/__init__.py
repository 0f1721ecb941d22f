"""What the gateway reaches outside of itself, besides the run engine's PostgreSQL: the server of the models."""
