-- name: create_message^
-- Adds a message to a thread that no run locks. No row: the thread is missing, locked or full, or there is no such sender.
WITH locked AS (
    UPDATE threads SET message_count = message_count + 1
    WHERE tenant_id = :tenant_id AND id = :thread_id AND active_run IS NULL AND message_count < :most_messages
      AND CASE WHEN :sender_id::text IS NULL THEN true ELSE are_users(:tenant_id, ARRAY[:sender_id::text]) END
    RETURNING tenant_id, id
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked
), added AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, attachments, metadata, sender_id,
                          tool_calls, tool_call_id)
    SELECT locked.tenant_id, :id, locked.id, moment.now, 'completed', :role, :content, :attachments, :metadata, :sender_id,
           :tool_calls, :tool_call_id
    FROM locked, moment
    RETURNING *, message_snapshot(messages) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_event(:owner, added.tenant_id, added.thread_id, NULL, NULL, 'threadworks.message.created.v1', added.id,
                      jsonb_build_object('thread', jsonb_build_object('id', added.thread_id), 'message', added.snapshot),
                      added.created_at) AS id
    FROM added WHERE added.role = 'user'
)
SELECT added.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids FROM added;

-- name: get_message^
-- One message of a user or an assistant: OpenAI never had any of tools. So do all of these, but for prompts.
SELECT * FROM messages WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id AND role <> 'tool';

-- name: message_for_change^
-- One message, held until its change is written.
SELECT * FROM messages WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id AND role <> 'tool'
FOR NO KEY UPDATE;

-- name: modify_message^
-- Changes what a client may change of a message: its metadata.
UPDATE messages SET metadata = :metadata WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id
RETURNING *;

-- name: delete_message^
-- Deletes a message of a thread that no run locks, and its text from the history of the run that wrote it. No row: there
-- is no such message, or the thread is locked.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id FROM threads
    WHERE tenant_id = :tenant_id AND id = :thread_id AND active_run IS NULL
    FOR NO KEY UPDATE
), deleted AS (
    DELETE FROM messages m USING locked
    WHERE m.tenant_id = locked.tenant_id AND m.thread_id = locked.id AND m.id = :id AND m.role <> 'tool'
    RETURNING m.tenant_id, m.id, m.thread_id, m.run_id
), counted AS (
    UPDATE threads t SET message_count = greatest(t.message_count - 1, 0)
    FROM deleted WHERE t.tenant_id = deleted.tenant_id AND t.id = deleted.thread_id
), forgotten AS (
    UPDATE run_events e SET data = jsonb_set(e.data, '{message}', (e.data -> 'message')
                                             || '{"content": [], "attachments": [], "metadata": {}}')
    FROM deleted
    WHERE e.tenant_id = deleted.tenant_id AND e.run_id = deleted.run_id AND e.subject = deleted.id AND e.data ? 'message'
)
SELECT id FROM deleted;

-- name: list_messages
-- Messages of a thread between two places of the list, nearest to its chosen end first, as long as they are not too many
-- bytes. `candidates` is how many there would be else.
WITH page AS MATERIALIZED (
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at, position) AS upto FROM messages
     WHERE :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (:run_id::text IS NULL OR run_id = :run_id) AND role <> 'tool'
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at DESC, position DESC) FROM messages
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (:run_id::text IS NULL OR run_id = :run_id) AND role <> 'tool'
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT m.*, (SELECT count(*) FROM page)::integer AS candidates
FROM page JOIN messages m ON m.tenant_id = :tenant_id AND m.id = page.id
WHERE :most_bytes::bigint IS NULL OR page.upto <= :most_bytes OR page.upto = page.bytes
ORDER BY m.created_at, m.position;

-- name: place_of_message^
-- Where a message stands in the list of its thread.
SELECT created_at, position FROM messages
WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id AND role <> 'tool';

-- name: latest_messages
-- The newest messages of a thread, newest first: what a prompt is made of.
SELECT * FROM messages
WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND (created_at, position) < (:before_time, :before_position)
ORDER BY created_at DESC, position DESC LIMIT :limit;

-- name: place_in_prompt^
-- Where a message stands among all of its thread, those of tools included.
SELECT created_at, position FROM messages WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id;
