"""The request for a completion: what it says, and how it is refused when it is wrong."""
