-- name: create_message^
-- Adds a message to a thread that no run locks. No row: the thread is missing or locked.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id FROM threads
    WHERE tenant_id = :tenant_id AND id = :thread_id AND active_run IS NULL
    FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked
), added AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, attachments, metadata)
    SELECT locked.tenant_id, :id, locked.id, moment.now, 'completed', :role, :content, :attachments, :metadata
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
-- One message.
SELECT * FROM messages WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id;

-- name: list_messages
-- Messages of a thread between two places of the list, nearest to its chosen end first.
WITH page AS (
    (SELECT id FROM messages
     WHERE :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (:run_id::text IS NULL OR run_id = :run_id)
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id FROM messages
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (:run_id::text IS NULL OR run_id = :run_id)
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT m.* FROM page JOIN messages m ON m.tenant_id = :tenant_id AND m.id = page.id
ORDER BY m.created_at, m.position;

-- name: place_of_message^
-- Where a message stands in the list of its thread.
SELECT created_at, position FROM messages WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id;

-- name: latest_messages
-- The newest messages of a thread, newest first: what a prompt is made of.
SELECT * FROM messages
WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND (created_at, position) < (:before_time, :before_position)
ORDER BY created_at DESC, position DESC LIMIT :limit;
