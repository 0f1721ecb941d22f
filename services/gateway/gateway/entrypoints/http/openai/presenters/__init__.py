"""From the engine's objects to OpenAI's: every required key always, null where there is no value, unix seconds."""
