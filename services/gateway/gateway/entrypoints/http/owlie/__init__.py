"""The dialect `/api` and `/ws`: what the front end of Owlie speaks, a course assistant of a university.

It has no API key. Whoever holds an encrypted id may use what it names (`encrypted_ids`), and there is one tenant. Its
statuses are the engine's, but that a run which waits for tool services is shown with its open calls. Refusals are
`{"detail": …}`.
"""
