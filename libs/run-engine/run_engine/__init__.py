"""The run engine: what an assistant, thread, message, run, step and tool call are, and how a run moves.

Gateway and orchestrator are two roles of this one engine. They share its database and its statements, so a rule
about runs stands here once. Tool services and subscribers know only the contracts.
"""
