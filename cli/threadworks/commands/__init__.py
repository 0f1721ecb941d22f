"""One module a command; each turns settings and options into calls, and errors into one line."""
