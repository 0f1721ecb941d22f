"""Scripted behaviour and what was seen: the part of the simulator that tests drive over HTTP under /control."""
