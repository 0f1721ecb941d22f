-- name: thread_overviews
-- Many threads, each with the user who came to it first and the moment when something was said in it last.
SELECT t.*,
       (SELECT p.user_id FROM thread_participants p WHERE p.tenant_id = t.tenant_id AND p.thread_id = t.id
        ORDER BY p.position LIMIT 1) AS first_user,
       greatest(t.created_at,
                (SELECT m.created_at FROM messages m WHERE m.tenant_id = t.tenant_id AND m.thread_id = t.id
                 ORDER BY m.created_at DESC, m.position DESC LIMIT 1),
                (SELECT c.answered_at FROM tool_calls c
                 WHERE c.tenant_id = t.tenant_id AND c.thread_id = t.id AND c.answered_at IS NOT NULL
                   AND c.output IS NOT NULL
                 ORDER BY c.answered_at DESC, c.position DESC LIMIT 1)) AS last_said_at
FROM unnest(:ids::text[]) WITH ORDINALITY AS asked (id, place)
JOIN threads t ON t.tenant_id = :tenant_id AND t.id = asked.id
ORDER BY asked.place;

-- name: newest_turns
-- Who spoke last in a thread, newest first, with calls and without words. Messages that were cut off with their run are
-- no answers.
SELECT role, tool_call_id,
       ARRAY(SELECT call ->> 'id' FROM jsonb_array_elements(tool_calls) WITH ORDINALITY AS c (call, place)
             ORDER BY place) AS call_ids
FROM messages
WHERE tenant_id = :tenant_id AND thread_id = :thread_id
  AND NOT (role = 'assistant' AND status <> 'completed'
           AND coalesce(incomplete_details ->> 'reason', '') IN ('run_failed', 'run_cancelled', 'run_expired', ''))
ORDER BY created_at DESC, position DESC
LIMIT :limit;
