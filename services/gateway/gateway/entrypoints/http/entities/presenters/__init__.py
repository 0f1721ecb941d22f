"""What clients of `/entities` are shown: the engine's objects in the shapes of entities_api.

Each kind has `ids_of_…`, the ids that its reply names, and a function that builds the reply once they are rendered.
"""
