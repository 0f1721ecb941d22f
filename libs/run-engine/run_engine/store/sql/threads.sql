-- name: create_thread^
-- Makes a thread with its first messages.
WITH thread AS (
    INSERT INTO threads (tenant_id, id, created_at, metadata, tool_resources)
    VALUES (:tenant_id, :thread_id, clock_timestamp(), :metadata, :tool_resources)
    RETURNING *
), added AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, attachments, metadata)
    SELECT thread.tenant_id, m.draft ->> 'id', thread.id, thread.created_at, 'completed', m.draft ->> 'role',
           m.draft -> 'content', m.draft -> 'attachments', m.draft -> 'metadata'
    FROM thread, jsonb_array_elements(:messages::jsonb) WITH ORDINALITY AS m (draft, place)
    ORDER BY m.place
    RETURNING id, role, message_snapshot(messages) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_event(:owner, thread.tenant_id, thread.id, NULL, NULL, 'threadworks.message.created.v1', added.id,
                      jsonb_build_object('thread', jsonb_build_object('id', thread.id), 'message', added.snapshot),
                      thread.created_at) AS id
    FROM thread, added WHERE added.role = 'user'
)
SELECT thread.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids FROM thread;

-- name: get_thread^
-- One thread.
SELECT * FROM threads WHERE tenant_id = :tenant_id AND id = :id;

-- name: modify_thread^
-- Changes what a client may change of a thread.
UPDATE threads SET
    metadata = CASE WHEN :set_metadata::boolean THEN :metadata ELSE metadata END,
    tool_resources = CASE WHEN :set_tool_resources::boolean THEN :tool_resources ELSE tool_resources END
WHERE tenant_id = :tenant_id AND id = :id
RETURNING *;

-- name: lock_thread^
-- Locks a thread for its deletion.
SELECT active_run FROM threads WHERE tenant_id = :tenant_id AND id = :id FOR UPDATE;

-- name: delete_thread_events!
-- Forgets the history of all runs of a thread.
DELETE FROM run_events e USING runs r
WHERE r.tenant_id = :tenant_id AND r.thread_id = :id AND e.tenant_id = r.tenant_id AND e.run_id = r.id;

-- name: delete_thread!
-- Deletes a locked thread; messages, runs, steps and calls go with it.
DELETE FROM threads WHERE tenant_id = :tenant_id AND id = :id;
