"""Keeps the parts of `threadworks up` running: starts them in order, restarts what dies, stops them in order."""
