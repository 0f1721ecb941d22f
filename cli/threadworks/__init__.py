"""The threadworks command: run, up, migrate, topics, keys."""
