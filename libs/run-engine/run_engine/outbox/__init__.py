"""From committed outbox rows to the event bus."""
