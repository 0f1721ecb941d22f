openai.beta.threads.create();
