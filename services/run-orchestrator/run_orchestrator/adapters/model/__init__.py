"""A model behind OpenAI's chat completions: the request, the stream and the errors, to and from the application."""
