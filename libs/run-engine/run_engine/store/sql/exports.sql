-- name: export_assistants
-- The next assistants in the order of the list.
SELECT * FROM assistants
WHERE tenant_id = :tenant_id AND (created_at, position) > (:time, :position)
ORDER BY created_at, position LIMIT :limit;

-- name: export_files
-- The next files in the order of the list.
SELECT * FROM files
WHERE tenant_id = :tenant_id AND (created_at, position) > (:time, :position)
  AND (expires_at IS NULL OR expires_at > (SELECT clock_timestamp()))
ORDER BY created_at, position LIMIT :limit;

-- name: export_users
-- The next users in the order of the list, with those of their assistants that are older than a place.
SELECT u.*, ARRAY(
    SELECT h.assistant_id FROM user_assistants h
    JOIN assistants a ON a.tenant_id = h.tenant_id AND a.id = h.assistant_id
    WHERE h.tenant_id = u.tenant_id AND h.user_id = u.id
      AND (a.created_at, a.position) <= (:assistants_time, :assistants_position)
    ORDER BY h.position) AS assistant_ids
FROM users u
WHERE u.tenant_id = :tenant_id AND (u.created_at, u.position) > (:time, :position)
ORDER BY u.created_at, u.position LIMIT :limit;

-- name: export_participants
-- The users who take part in these threads, in the order of their coming.
SELECT p.thread_id, u.* FROM thread_participants p
JOIN users u ON u.tenant_id = p.tenant_id AND u.id = p.user_id
WHERE p.tenant_id = :tenant_id AND p.thread_id = ANY(:thread_ids::text[])
ORDER BY p.thread_id, p.position;

-- name: export_tools
-- The next tools in the order of the list.
SELECT * FROM tools
WHERE tenant_id = :tenant_id AND (created_at, position) > (:time, :position)
ORDER BY created_at, position LIMIT :limit;

-- name: export_threads
-- The next threads in the order of the list.
SELECT * FROM threads
WHERE tenant_id = :tenant_id AND position > 0 AND (created_at, position) > (:time, :position)
ORDER BY created_at, position LIMIT :limit;

-- name: export_messages
-- The next messages of each of these threads, after its own place.
SELECT m.* FROM unnest(:owners::text[], :times::timestamptz[], :positions::bigint[])
    WITH ORDINALITY AS thread (id, time, position, place)
CROSS JOIN LATERAL (
    SELECT * FROM messages m
    WHERE m.tenant_id = :tenant_id AND m.thread_id = thread.id
      AND (m.created_at, m.position) > (thread.time, thread.position)
    ORDER BY m.created_at, m.position LIMIT :limit
) AS m
ORDER BY thread.place, m.created_at, m.position;

-- name: export_runs
-- The next runs of each of these threads, after its own place, with the calls their clients have to answer.
SELECT r.*, CASE WHEN r.status = 'requires_action' THEN open_client_calls(r.tenant_id, r.id) END AS required_calls
FROM unnest(:owners::text[], :times::timestamptz[], :positions::bigint[])
    WITH ORDINALITY AS thread (id, time, position, place)
CROSS JOIN LATERAL (
    SELECT * FROM runs r
    WHERE r.tenant_id = :tenant_id AND r.thread_id = thread.id
      AND (r.created_at, r.position) > (thread.time, thread.position)
    ORDER BY r.created_at, r.position LIMIT :limit
) AS r
ORDER BY thread.place, r.created_at, r.position;

-- name: export_steps
-- The next steps of each of these runs, after its own place, with their calls.
SELECT s.*, (SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'arguments', c.arguments,
                                                 'service', c.service, 'output', c.output) ORDER BY c.index)
             FROM tool_calls c WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id) AS calls
FROM unnest(:owners::text[], :times::timestamptz[], :positions::bigint[])
    WITH ORDINALITY AS run (id, time, position, place)
CROSS JOIN LATERAL (
    SELECT * FROM run_steps s
    WHERE s.tenant_id = :tenant_id AND s.run_id = run.id
      AND (s.created_at, s.position) > (run.time, run.position)
    ORDER BY s.created_at, s.position LIMIT :limit
) AS s
ORDER BY run.place, s.created_at, s.position;
