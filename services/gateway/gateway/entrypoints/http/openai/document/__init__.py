"""What is served, described: the OpenAPI document at `/openapi.json`.

To describe a new operation, add its line to `operations`; the test of the document fails until it has one. Bodies are
described by the models of `requests/` that read them, replies by the shapes here, which tests hold to real replies and
to the field facts of the API.
"""
