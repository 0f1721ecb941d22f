"""Claims queued runs, talks to the model, hands out tool calls, sweeps."""
