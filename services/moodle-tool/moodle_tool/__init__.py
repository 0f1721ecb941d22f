"""Answers tool calls from the web service of a Moodle."""
