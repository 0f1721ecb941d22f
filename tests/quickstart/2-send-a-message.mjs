openai.beta.threads.messages.create(thread.id, {
  role: "user",
  content: "Where were you born?"
});
