-- name: list_conversation
-- What was said in a thread between two places, nearest to its chosen end first, as long as it is not too many bytes:
-- its messages, and the answers to the calls of its runs as messages of tools.
WITH page AS MATERIALIZED (
    (SELECT said.*, sum(bytes) OVER (ORDER BY created_at, position) AS upto FROM (
        (SELECT id, NULL::text AS run_id, created_at, position,
                bytes + coalesce(octet_length(tool_calls::text), 0) AS bytes FROM messages
         WHERE :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
           AND (created_at, position) > (:low_time, :low_position)
           AND (created_at, position) < (:high_time, :high_position)
         ORDER BY created_at, position LIMIT :limit)
        UNION ALL
        (SELECT id, run_id, answered_at, position, octet_length(output) + 1 FROM tool_calls
         WHERE :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
           AND (answered_at, position) > (:low_time, :low_position)
           AND (answered_at, position) < (:high_time, :high_position)
           AND answered_at IS NOT NULL AND output IS NOT NULL
         ORDER BY answered_at, position LIMIT :limit)) AS said
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT said.*, sum(bytes) OVER (ORDER BY created_at DESC, position DESC) FROM (
        (SELECT id, NULL::text AS run_id, created_at, position,
                bytes + coalesce(octet_length(tool_calls::text), 0) AS bytes FROM messages
         WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
           AND (created_at, position) > (:low_time, :low_position)
           AND (created_at, position) < (:high_time, :high_position)
         ORDER BY created_at DESC, position DESC LIMIT :limit)
        UNION ALL
        (SELECT id, run_id, answered_at, position, octet_length(output) + 1 FROM tool_calls
         WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
           AND (answered_at, position) > (:low_time, :low_position)
           AND (answered_at, position) < (:high_time, :high_position)
           AND answered_at IS NOT NULL AND output IS NOT NULL
         ORDER BY answered_at DESC, position DESC LIMIT :limit)) AS said
     ORDER BY created_at DESC, position DESC LIMIT :limit)
), shown AS (
    SELECT * FROM page WHERE :most_bytes::bigint IS NULL OR upto <= :most_bytes OR upto = bytes
)
SELECT m.id, m.thread_id, m.created_at, m.status, m.incomplete_details, m.completed_at, m.incomplete_at, m.role, m.content,
       m.assistant_id, m.run_id, m.attachments, m.metadata, m.sender_id, m.tool_calls, m.tool_call_id, m.position,
       (SELECT count(*) FROM page)::integer AS candidates
FROM shown JOIN messages m ON m.tenant_id = :tenant_id AND m.id = shown.id
WHERE shown.run_id IS NULL
UNION ALL
SELECT c.id, c.thread_id, c.answered_at, 'completed', NULL, c.answered_at, NULL, 'tool', tool_output_content(c.output),
       NULL, c.run_id, '[]', '{}', NULL, NULL, c.id, c.position, (SELECT count(*) FROM page)::integer
FROM shown JOIN tool_calls c ON c.tenant_id = :tenant_id AND c.run_id = shown.run_id AND c.id = shown.id
ORDER BY created_at, position;

-- name: find_said^
-- A message, or the answer to a call as one, by its id alone.
SELECT * FROM (
    SELECT m.id, m.thread_id, m.created_at, m.status, m.incomplete_details, m.completed_at, m.incomplete_at, m.role,
           m.content, m.assistant_id, m.run_id, m.attachments, m.metadata, m.sender_id, m.tool_calls, m.tool_call_id,
           m.position
    FROM messages m WHERE m.tenant_id = :tenant_id AND m.id = :id
    UNION ALL
    SELECT c.id, c.thread_id, c.answered_at, 'completed', NULL, c.answered_at, NULL, 'tool',
           tool_output_content(c.output), NULL, c.run_id, '[]', '{}', NULL, NULL, c.id, c.position
    FROM tool_calls c
    WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.answered_at IS NOT NULL AND c.output IS NOT NULL
) AS said
ORDER BY created_at DESC, position DESC LIMIT 1;

-- name: place_of_said^
-- Where a message, or the answer to a call, stands in the conversation of its thread; or a request for calls: right
-- before the first of their answers, and at the end as long as there is none.
SELECT * FROM (
    SELECT created_at, position FROM messages WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id
    UNION ALL
    SELECT answered_at, position FROM tool_calls
    WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id
      AND answered_at IS NOT NULL AND output IS NOT NULL
    UNION ALL
    SELECT coalesce(first.answered_at, s.created_at),
           coalesce(first.position - CASE WHEN :ascending::boolean THEN 1 ELSE 0 END, 9223372036854775806)
    FROM run_steps s LEFT JOIN LATERAL (
        SELECT c.answered_at, c.position FROM tool_calls c
        WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id AND c.answered_at IS NOT NULL AND c.output IS NOT NULL
        ORDER BY c.answered_at, c.position LIMIT 1
    ) AS first ON true
    WHERE s.tenant_id = :tenant_id AND s.thread_id = :thread_id AND s.id = :id AND s.type = 'tool_calls'
) AS places
ORDER BY created_at DESC, position DESC LIMIT 1;

-- name: calls_of_runs
-- All calls of many runs, each run's in the order of its steps and of the model, and whether a call was the first of its
-- step to be answered.
SELECT c.run_id, c.step_id, c.id, c.name, c.arguments, c.service, c.output,
       c.output IS NOT NULL AND c.answered_at IS NOT NULL
       AND row_number() OVER (PARTITION BY c.step_id ORDER BY c.output IS NULL, c.answered_at, c.position) = 1
       AS answered_first
FROM tool_calls c JOIN run_steps s ON s.tenant_id = c.tenant_id AND s.id = c.step_id
WHERE c.tenant_id = :tenant_id AND c.run_id = ANY(:run_ids::text[])
ORDER BY s.created_at, s.position, c.index;
