curl --location 'https://api.openai.com/v1/threads' \
--header 'Authorization: Bearer <OPEN_AI_API_KEY>' \
--header 'OpenAI-Beta: assistants=v2' \
--header 'Content-Type: application/json' \
--data '[]'
