"""HTTP: one server, one endpoint a path, and a folder for each dialect.

What is here is the same for all dialects: the server and its drain, what a connection may do, reading a body, sending
a reply. A dialect owns its paths, its error envelope, its ids and its status words (`openai`, `entities`, `agents`,
`owlie`), and meets the others only in `bootstrap`.
"""
