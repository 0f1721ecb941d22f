-- name: create_thread^
-- Makes a thread with its participants and its first messages. No row: there is no such participant, sender or assistant.
-- Participants are held until the commit, so that none of them is deleted meanwhile.
WITH thread AS (
    INSERT INTO threads (tenant_id, id, created_at, metadata, tool_resources, message_count, title, assistant_id)
    SELECT :tenant_id, :thread_id, clock_timestamp(), :metadata, :tool_resources, jsonb_array_length(:messages::jsonb),
           :title, :assistant_id
    WHERE CASE WHEN cardinality(:participants::text[]) = 0 THEN true ELSE hold_users(:tenant_id, :participants) END
      AND CASE WHEN cardinality(:senders::text[]) = 0 THEN true ELSE are_users(:tenant_id, :senders) END
      AND CASE WHEN :assistant_id::text IS NULL THEN true ELSE is_assistant(:tenant_id, :assistant_id) END
    RETURNING *
), added AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, attachments, metadata, sender_id,
                          tool_calls, tool_call_id)
    SELECT thread.tenant_id, m.draft ->> 'id', thread.id, thread.created_at, 'completed', m.draft ->> 'role',
           m.draft -> 'content', m.draft -> 'attachments', m.draft -> 'metadata', m.draft ->> 'sender_id',
           m.draft -> 'tool_calls', m.draft ->> 'tool_call_id'
    FROM thread, jsonb_array_elements(:messages::jsonb) WITH ORDINALITY AS m (draft, place)
    ORDER BY m.place
    RETURNING id, role, message_snapshot(messages) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_event(:owner, thread.tenant_id, thread.id, NULL, NULL, 'threadworks.message.created.v1', added.id,
                      jsonb_build_object('thread', jsonb_build_object('id', thread.id), 'message', added.snapshot),
                      thread.created_at) AS id
    FROM thread, added WHERE added.role = 'user'
)
SELECT thread.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids,
       CASE WHEN cardinality(:participants::text[]) > 0 THEN join_thread(thread.tenant_id, thread.id, :participants) END
FROM thread;

-- name: get_thread^
-- One thread.
SELECT * FROM threads WHERE tenant_id = :tenant_id AND id = :id;

-- name: thread_for_change^
-- One thread, held until its change is written.
SELECT * FROM threads WHERE tenant_id = :tenant_id AND id = :id FOR NO KEY UPDATE;

-- name: modify_thread^
-- Changes what a client may change of a thread.
UPDATE threads SET metadata = :metadata, tool_resources = :tool_resources, title = :title, assistant_id = :assistant_id
WHERE tenant_id = :tenant_id AND id = :id
RETURNING *;

-- name: list_threads
-- Threads between two places of the list, nearest to its chosen end first. The inner limits, more than any page has, let
-- the planner know that a page is small: without them it would rather sort all threads of a tenant.
WITH page AS (
    (SELECT * FROM (
        SELECT * FROM threads
        WHERE :ascending::boolean AND tenant_id = :tenant_id AND position > 0
          AND (created_at, position) > (:low_time, :low_position)
          AND (created_at, position) < (:high_time, :high_position)
        ORDER BY created_at, position LIMIT 101) AS nearest
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT * FROM (
        SELECT * FROM threads
        WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND position > 0
          AND (created_at, position) > (:low_time, :low_position)
          AND (created_at, position) < (:high_time, :high_position)
        ORDER BY created_at DESC, position DESC LIMIT 101) AS nearest
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT * FROM page ORDER BY created_at, position;

-- name: search_threads
-- The same of those whose metadata has all of the given pairs. They are found first and put in order then: a walk along
-- the list would look at every thread there is where few fit.
WITH found AS MATERIALIZED (
    SELECT id, created_at, position FROM threads
    WHERE tenant_id = :tenant_id AND metadata @> :metadata::jsonb AND metadata <> '{}'
      AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
), page AS (
    (SELECT id FROM found WHERE :ascending::boolean ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id FROM found WHERE NOT :ascending::boolean ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT t.* FROM page JOIN threads t ON t.tenant_id = :tenant_id AND t.id = page.id
ORDER BY t.created_at, t.position;

-- name: place_of_thread^
-- Where a thread stands in the list.
SELECT created_at, position FROM threads WHERE tenant_id = :tenant_id AND id = :id;

-- name: count_messages^
-- Counts the messages of a thread that the caller has locked.
UPDATE threads t SET message_count =
    (SELECT count(*) FROM messages m WHERE m.tenant_id = t.tenant_id AND m.thread_id = t.id)
    + (t.active_run IS NOT NULL)::integer
WHERE t.tenant_id = :tenant_id AND t.id = :id
RETURNING t.message_count;

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
