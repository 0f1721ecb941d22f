"""How requests come in: over HTTP, in one dialect a folder."""
