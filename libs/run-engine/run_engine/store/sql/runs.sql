-- name: start_run^
-- Starts a run in one commit: takes the thread's lock (or makes the thread), adds the messages, snapshots the
-- assistant and writes the events. No row: the thread, an assistant, a participant or a sender is missing, or the thread
-- is locked or full: one more than is added has a place, for the run to write.
WITH assistant AS MATERIALIZED (
    SELECT a.* FROM assistants a
    WHERE a.tenant_id = :tenant_id AND a.id = :assistant_id
      AND CASE WHEN cardinality(:participants::text[]) = 0 THEN true ELSE hold_users(:tenant_id, :participants) END
      AND CASE WHEN cardinality(:senders::text[]) = 0 THEN true ELSE are_users(:tenant_id, :senders) END
      AND CASE WHEN :thread_assistant_id::text IS NULL THEN true
               ELSE is_assistant(:tenant_id, :thread_assistant_id) END
), made AS (
    INSERT INTO threads (tenant_id, id, created_at, metadata, tool_resources, active_run, message_count, title,
                         assistant_id)
    SELECT :tenant_id, :thread_id, clock_timestamp(), :thread_metadata, :thread_tool_resources, :run_id,
           jsonb_array_length(:messages::jsonb) + 1, :thread_title, :thread_assistant_id
    FROM assistant WHERE :new_thread::boolean
    RETURNING id, created_at
), locked AS (
    UPDATE threads t SET active_run = :run_id, message_count = t.message_count + jsonb_array_length(:messages::jsonb) + 1
    FROM assistant
    WHERE NOT :new_thread::boolean AND t.tenant_id = :tenant_id AND t.id = :thread_id AND t.active_run IS NULL
      AND t.message_count + jsonb_array_length(:messages::jsonb) < :most_messages
    RETURNING t.id
), moment AS MATERIALIZED (
    SELECT id AS thread_id, created_at AS now FROM made
    UNION ALL
    SELECT id, clock_timestamp() FROM locked
), added AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, attachments, metadata, sender_id,
                          tool_calls, tool_call_id)
    SELECT :tenant_id, m.draft ->> 'id', moment.thread_id, moment.now, 'completed', m.draft ->> 'role',
           m.draft -> 'content', m.draft -> 'attachments', m.draft -> 'metadata', m.draft ->> 'sender_id',
           m.draft -> 'tool_calls', m.draft ->> 'tool_call_id'
    FROM moment, jsonb_array_elements(:messages::jsonb) WITH ORDINALITY AS m (draft, place)
    ORDER BY m.place
    RETURNING id, role, position, message_snapshot(messages) AS snapshot
), run AS (
    INSERT INTO runs (tenant_id, id, thread_id, assistant_id, created_at, status, seq, expires_at, model, instructions,
                      tools, tool_resources, metadata, temperature, top_p, max_prompt_tokens, max_completion_tokens,
                      truncation_strategy, tool_choice, parallel_tool_calls, response_format, reasoning_effort,
                      stream_slots)
    SELECT :tenant_id, :run_id, moment.thread_id, a.id, moment.now, 'queued', 1,
           moment.now + (SELECT coalesce(max(run_lifetime), interval '600 s') FROM tenants WHERE id = :tenant_id),
           CASE WHEN :inherit_model::boolean THEN a.model ELSE :model END,
           nullif(concat_ws(E'\n\n', CASE WHEN :inherit_instructions::boolean THEN a.instructions ELSE :instructions END,
                            :additional_instructions::text), ''),
           CASE WHEN :inherit_tools::boolean THEN a.tools ELSE :tools END,
           CASE WHEN :inherit_tool_resources::boolean THEN a.tool_resources ELSE :tool_resources END,
           :metadata,
           CASE WHEN :inherit_temperature::boolean THEN a.temperature ELSE :temperature END,
           CASE WHEN :inherit_top_p::boolean THEN a.top_p ELSE :top_p END,
           :max_prompt_tokens, :max_completion_tokens, :truncation_strategy, :tool_choice, :parallel_tool_calls,
           coalesce(CASE WHEN :inherit_response_format::boolean THEN a.response_format ELSE :response_format END,
                    '"auto"'),
           CASE WHEN :inherit_reasoning_effort::boolean THEN a.reasoning_effort ELSE :reasoning_effort END,
           array_remove(ARRAY[:stream_slot::smallint], NULL)
    FROM moment, assistant a
    RETURNING *, run_snapshot(runs) AS snapshot
), waking AS (
    -- The last new user message wakes the run; without one, a command does.
    SELECT id FROM added WHERE role = 'user' ORDER BY position DESC LIMIT 1
), published AS MATERIALIZED (
    SELECT emit_event(:owner, :tenant_id, run.thread_id, CASE WHEN added.id = waking.id THEN run.id END, NULL,
                      'threadworks.message.created.v1', added.id,
                      jsonb_build_object('thread', jsonb_build_object('id', run.thread_id), 'message', added.snapshot)
                      || CASE WHEN added.id = waking.id
                         THEN jsonb_build_object('run', jsonb_build_object('id', run.id, 'thread_id', run.thread_id))
                         ELSE '{}' END,
                      run.created_at) AS id
    FROM run, added, waking WHERE added.role = 'user'
    UNION ALL
    SELECT emit_run_event(:owner, :tenant_id, run.thread_id, run.id, run.seq, run.attempt,
                          'threadworks.run.queued.v1', run.id, jsonb_build_object('run', run.snapshot), run.created_at)
    FROM run
    UNION ALL
    SELECT emit_event(:owner, :tenant_id, run.thread_id, run.id, run.attempt, 'threadworks.run.requested.v1', run.id,
                      jsonb_build_object('run', jsonb_build_object('id', run.id, 'thread_id', run.thread_id)),
                      run.created_at)
    FROM run WHERE NOT EXISTS (SELECT FROM waking)
)
SELECT run.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids,
       CASE WHEN cardinality(:participants::text[]) > 0 THEN join_thread(run.tenant_id, run.thread_id, :participants) END
FROM run;

-- name: why_not_started^
-- Tells why `start_run` gave no row.
SELECT EXISTS (SELECT FROM assistants WHERE tenant_id = :tenant_id AND id = :assistant_id) AS assistant_exists,
       EXISTS (SELECT FROM threads WHERE tenant_id = :tenant_id AND id = :thread_id) AS thread_exists,
       (SELECT active_run FROM threads WHERE tenant_id = :tenant_id AND id = :thread_id) AS active_run,
       (SELECT coalesce(max(message_count), 0) FROM threads
        WHERE tenant_id = :tenant_id AND id = :thread_id) AS message_count;

-- name: get_run^
-- One run; the calls its client has to answer come along while it requires action.
SELECT r.*, CASE WHEN r.status = 'requires_action' THEN open_client_calls(r.tenant_id, r.id) END AS required_calls
FROM runs r WHERE r.tenant_id = :tenant_id AND r.thread_id = :thread_id AND r.id = :run_id;

-- name: find_run^
-- One run by its id alone.
SELECT r.*, CASE WHEN r.status = 'requires_action' THEN open_client_calls(r.tenant_id, r.id) END AS required_calls
FROM runs r WHERE r.tenant_id = :tenant_id AND r.id = :run_id;

-- name: list_runs
-- Runs of a thread between two places of the list, nearest to its chosen end first, as long as they are not too many
-- bytes.
WITH page AS MATERIALIZED (
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at, position) AS upto FROM runs
     WHERE :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at DESC, position DESC) FROM runs
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT r.*, CASE WHEN r.status = 'requires_action' THEN open_client_calls(r.tenant_id, r.id) END AS required_calls,
       (SELECT count(*) FROM page)::integer AS candidates
FROM page JOIN runs r ON r.tenant_id = :tenant_id AND r.id = page.id
WHERE :most_bytes::bigint IS NULL OR page.upto <= :most_bytes OR page.upto = page.bytes
ORDER BY r.created_at, r.position;

-- name: place_of_run^
-- Where a run stands in the lists of its thread.
SELECT created_at, position FROM runs WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND id = :id;

-- name: modify_run^
-- Changes what a client may change of a run: its metadata.
UPDATE runs r SET metadata = :metadata
WHERE r.tenant_id = :tenant_id AND r.thread_id = :thread_id AND r.id = :run_id
RETURNING r.*, CASE WHEN r.status = 'requires_action' THEN open_client_calls(r.tenant_id, r.id) END AS required_calls;
