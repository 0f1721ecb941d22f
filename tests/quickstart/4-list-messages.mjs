openai.beta.threads.messages.list(thread.id);
