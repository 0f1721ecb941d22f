openai.beta.threads.runs.createAndPoll(thread.id, {
  assistant_id: "asst_sample"
});
