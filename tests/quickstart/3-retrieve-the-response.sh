curl https://api.openai.com/v1/threads/<THREAD_ID>/runs \
-H "Authorization: Bearer <OPEN_AI_API_KEY>" \
-H "Content-Type: application/json" \
-d '{"assistant_id": "<ASSISTANT_ID>"}'
