curl https://api.openai.com/v1/threads/<THREAD_ID>/messages \
-H "Content-Type: application/json" \
-H "Authorization: Bearer <OPEN_AI_API_KEY>"
