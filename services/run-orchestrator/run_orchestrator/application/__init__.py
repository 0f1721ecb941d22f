"""What the orchestrator does, whatever model, bus and database it does it with."""
