"""What comes in from the event bus, turned into calls of the application."""
