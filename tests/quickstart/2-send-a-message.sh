curl --location 'https://api.openai.com/v1/threads/<THREAD_ID>/messages' \
--header 'Authorization: Bearer <OPEN_AI_API_KEY>' \
--header 'Content-Type: application/json' \
--data '{"role": "user", "content": "Where were you born?"}'
