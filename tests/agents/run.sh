curl -X POST "https://api.haufe.ai/agents/v1/threads/497f6eca-6276-4993-bfeb-53cbbbba6f08/run" \
  -H "Content-Type: application/json" \
  -d '{}'
