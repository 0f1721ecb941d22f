"""Streams of runs, from what is stored and what the orchestrators send to what one reader is told.

`happenings` reads stored events, `run_log` holds what is known of one run, and `narration` is one reader's way through
it: these are pure. `hub` gives every run that is read a log and keeps it up to date, from the gateway's slot and from
the database; `readings` begins and joins streams. Dialects turn `telling` into their own events.
"""
