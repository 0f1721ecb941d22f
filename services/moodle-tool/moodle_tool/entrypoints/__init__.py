"""What comes in: tool calls."""
