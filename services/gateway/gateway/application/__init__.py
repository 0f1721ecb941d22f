"""What the gateway does, without HTTP and without PostgreSQL: who asks, what is missing, which ids are new.

Most of it is the run engine's work and passes straight through the ports; the modules here hold what is left.
"""
