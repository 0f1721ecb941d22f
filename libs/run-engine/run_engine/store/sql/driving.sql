-- name: finish_run^
-- Ends a driven run with an answer: message, step, usage, status and events in one commit, whether the step was begun in
-- the open or not. No row: fenced.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id, thread_id, assistant_id, attempt FROM runs
    WHERE tenant_id = :tenant_id AND id = :run_id AND attempt = :attempt AND worker = :worker
      AND status IN ('in_progress', 'cancelling')
    FOR NO KEY UPDATE
), unlocked AS (
    UPDATE threads t SET active_run = NULL
    FROM locked WHERE t.tenant_id = locked.tenant_id AND t.id = locked.thread_id AND t.active_run = locked.id
    RETURNING t.id
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now, (SELECT count(*) FROM unlocked) AS threads,
           (step_status(locked.tenant_id, :step_id) IS NOT NULL)::integer AS opened
    FROM locked
), message AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, incomplete_details, completed_at, incomplete_at,
                          role, content, assistant_id, run_id, attachments, metadata)
    SELECT tenant_id, :message_id, thread_id, now, :status, :message_incomplete_details,
           CASE WHEN :status = 'completed' THEN now END, CASE WHEN :status = 'incomplete' THEN now END,
           'assistant', :content, assistant_id, id, '[]', '{}'
    FROM locked, moment
    ON CONFLICT (tenant_id, id) DO UPDATE SET
        status = excluded.status, incomplete_details = excluded.incomplete_details,
        completed_at = excluded.completed_at, incomplete_at = excluded.incomplete_at, content = excluded.content
    RETURNING id, message_snapshot(messages) AS snapshot
), step AS (
    INSERT INTO run_steps (tenant_id, id, run_id, thread_id, assistant_id, created_at, attempt, type, status,
                           message_id, completed_at, prompt_tokens, completion_tokens)
    SELECT tenant_id, :step_id, id, thread_id, assistant_id, now, attempt, 'message_creation', 'completed',
           :message_id, now, :prompt_tokens, :completion_tokens
    FROM locked, moment
    ON CONFLICT (tenant_id, id) DO UPDATE SET
        status = excluded.status, completed_at = excluded.completed_at, prompt_tokens = excluded.prompt_tokens,
        completion_tokens = excluded.completion_tokens
    RETURNING id, step_snapshot(run_steps, jsonb_build_object('type', 'message_creation', 'message_creation',
                  jsonb_build_object('message_id', message_id))) AS snapshot
), ended AS (
    UPDATE runs r SET status = :status, worker = NULL, seq = r.seq + 4 - moment.opened, lost_workers = 0,
                      completed_at = CASE WHEN :status = 'completed' THEN moment.now END,
                      expires_at = CASE WHEN :status = 'completed' THEN NULL ELSE r.expires_at END,
                      incomplete_details = :incomplete_details,
                      prompt_tokens = r.prompt_tokens + :prompt_tokens,
                      completion_tokens = r.completion_tokens + :completion_tokens
    FROM locked, moment WHERE r.tenant_id = locked.tenant_id AND r.id = locked.id
    RETURNING r.tenant_id, r.thread_id, r.id, r.seq, r.attempt, run_snapshot(r) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_run_event(:worker, e.tenant_id, e.thread_id, e.id, e.seq - 3, e.attempt,
                          'threadworks.run-step.created.v1', step.id, jsonb_build_object('step', step.snapshot ||
                          '{"status": "in_progress", "completed_at": null, "usage": null}'), moment.now) AS id
    FROM ended e, step, moment WHERE moment.opened = 0
    UNION ALL
    SELECT emit_run_event(:worker, e.tenant_id, e.thread_id, e.id, e.seq - 2, e.attempt,
                          'threadworks.message.' || :status || '.v1', message.id,
                          jsonb_build_object('message', message.snapshot), moment.now)
    FROM ended e, message, moment
    UNION ALL
    SELECT emit_run_event(:worker, e.tenant_id, e.thread_id, e.id, e.seq - 1, e.attempt,
                          'threadworks.run-step.completed.v1', step.id,
                          jsonb_build_object('step', step.snapshot), moment.now)
    FROM ended e, step, moment
    UNION ALL
    SELECT emit_run_event(:worker, e.tenant_id, e.thread_id, e.id, e.seq, e.attempt,
                          'threadworks.run.' || :status || '.v1', e.id,
                          jsonb_build_object('run', e.snapshot), moment.now)
    FROM ended e, moment
)
SELECT array_agg(id) AS outbox_ids FROM published HAVING count(*) > 0;

-- name: open_step^
-- Begins a step in the open, at the first chunk of a reply that is streamed: the step, an empty message where it writes
-- one, and their event. A step that was begun before, by a try whose reply was lost, stays as it is, and has no seq here.
-- `cancelling`: of a run that is to be cancelled, for what nobody was told until then. No row: fenced, or in the other
-- status.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id, thread_id, assistant_id, attempt FROM runs
    WHERE tenant_id = :tenant_id AND id = :run_id AND attempt = :attempt AND worker = :worker
      AND status = CASE WHEN :cancelling::boolean THEN 'cancelling' ELSE 'in_progress' END
    FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked WHERE step_status(locked.tenant_id, :step_id) IS NULL
), message AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, assistant_id, run_id,
                          attachments, metadata)
    SELECT tenant_id, :message_id, thread_id, now, 'in_progress', 'assistant', '[]', assistant_id, id, '[]', '{}'
    FROM locked, moment WHERE :message_id::text IS NOT NULL
), step AS (
    INSERT INTO run_steps (tenant_id, id, run_id, thread_id, assistant_id, created_at, attempt, type, status,
                           message_id)
    SELECT tenant_id, :step_id, id, thread_id, assistant_id, now, attempt,
           CASE WHEN :message_id::text IS NULL THEN 'tool_calls' ELSE 'message_creation' END, 'in_progress',
           :message_id
    FROM locked, moment
    RETURNING id, step_snapshot(run_steps, step_details(run_steps)) AS snapshot
), moved AS (
    UPDATE runs r SET seq = r.seq + 1
    FROM locked, moment WHERE r.tenant_id = locked.tenant_id AND r.id = locked.id
    RETURNING r.tenant_id, r.thread_id, r.id, r.seq, r.attempt
), published AS MATERIALIZED (
    SELECT emit_run_event(:worker, m.tenant_id, m.thread_id, m.id, m.seq, m.attempt, 'threadworks.run-step.created.v1',
                          step.id, jsonb_build_object('step', step.snapshot), moment.now) AS id
    FROM moved m, step, moment
)
SELECT (SELECT array_agg(published.id) FROM published) AS outbox_ids, begun.*
FROM locked LEFT JOIN (
    SELECT moved.seq, jsonb_build_object('step', step.snapshot) AS data, moment.now AS created_at
    FROM moved, step, moment
) AS begun ON true;

-- name: complete_message^
-- Completes a message that is not the run's last word, before the calls of the same reply: message, step and events,
-- whether the step was begun in the open or not. Its tokens count for the calls. What was completed before stays as it is.
-- No row: fenced, or to be cancelled.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id, thread_id, assistant_id, attempt FROM runs
    WHERE tenant_id = :tenant_id AND id = :run_id AND attempt = :attempt AND worker = :worker
      AND status = 'in_progress'
    FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT now, (status IS NOT NULL)::integer AS opened
    FROM (SELECT clock_timestamp() AS now, step_status(locked.tenant_id, :step_id) AS status FROM locked) AS seen
    WHERE status IS DISTINCT FROM 'completed'
), message AS (
    INSERT INTO messages (tenant_id, id, thread_id, created_at, status, completed_at, role, content, assistant_id,
                          run_id, attachments, metadata)
    SELECT tenant_id, :message_id, thread_id, now, 'completed', now, 'assistant', :content, assistant_id, id, '[]', '{}'
    FROM locked, moment
    ON CONFLICT (tenant_id, id) DO UPDATE SET
        status = excluded.status, completed_at = excluded.completed_at, content = excluded.content
    RETURNING id, message_snapshot(messages) AS snapshot
), step AS (
    INSERT INTO run_steps (tenant_id, id, run_id, thread_id, assistant_id, created_at, attempt, type, status,
                           message_id, completed_at, prompt_tokens, completion_tokens)
    SELECT tenant_id, :step_id, id, thread_id, assistant_id, now, attempt, 'message_creation', 'completed',
           :message_id, now, 0, 0
    FROM locked, moment
    ON CONFLICT (tenant_id, id) DO UPDATE SET
        status = excluded.status, completed_at = excluded.completed_at, prompt_tokens = excluded.prompt_tokens,
        completion_tokens = excluded.completion_tokens
    RETURNING id, step_snapshot(run_steps, step_details(run_steps)) AS snapshot
), moved AS (
    UPDATE runs r SET seq = r.seq + 3 - moment.opened
    FROM locked, moment WHERE r.tenant_id = locked.tenant_id AND r.id = locked.id
    RETURNING r.tenant_id, r.thread_id, r.id, r.seq, r.attempt
), published AS MATERIALIZED (
    SELECT emit_run_event(:worker, m.tenant_id, m.thread_id, m.id, m.seq - 2, m.attempt,
                          'threadworks.run-step.created.v1', step.id, jsonb_build_object('step', step.snapshot ||
                          '{"status": "in_progress", "completed_at": null, "usage": null}'), moment.now) AS id
    FROM moved m, step, moment WHERE moment.opened = 0
    UNION ALL
    SELECT emit_run_event(:worker, m.tenant_id, m.thread_id, m.id, m.seq - 1, m.attempt,
                          'threadworks.message.completed.v1', message.id,
                          jsonb_build_object('message', message.snapshot), moment.now)
    FROM moved m, message, moment
    UNION ALL
    SELECT emit_run_event(:worker, m.tenant_id, m.thread_id, m.id, m.seq, m.attempt,
                          'threadworks.run-step.completed.v1', step.id, jsonb_build_object('step', step.snapshot),
                          moment.now)
    FROM moved m, step, moment
)
SELECT (SELECT coalesce(array_agg(id), '{}') FROM published) AS outbox_ids FROM locked;

-- name: park_run^
-- Parks a driven run for tool calls: step, calls, counters, status and events in one commit, whether the step was begun in
-- the open or not. No row: fenced.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id, thread_id, assistant_id, attempt FROM runs
    WHERE tenant_id = :tenant_id AND id = :run_id AND attempt = :attempt AND worker = :worker
      AND status = 'in_progress'
    FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now, step_status(locked.tenant_id, :step_id) IS NOT NULL AS opened FROM locked
), step AS (
    INSERT INTO run_steps (tenant_id, id, run_id, thread_id, assistant_id, created_at, attempt, type, status,
                           prompt_tokens, completion_tokens)
    SELECT tenant_id, :step_id, id, thread_id, assistant_id, now, attempt, 'tool_calls', 'in_progress',
           :prompt_tokens, :completion_tokens
    FROM locked, moment
    ON CONFLICT (tenant_id, id) DO UPDATE SET
        prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens
    RETURNING run_steps AS whole, id
), calls AS (
    INSERT INTO tool_calls (tenant_id, id, step_id, run_id, thread_id, index, name, arguments, service, created_at,
                            deadline, repeat_at)
    SELECT locked.tenant_id, c.id, step.id, locked.id, locked.thread_id, c.place - 1, c.name, c.arguments, c.service, now,
           now + make_interval(secs => c.timeout), now + make_interval(secs => c.timeout / 2)
    FROM locked, moment, step,
         unnest(:call_ids::text[], :call_names::text[], :call_arguments::text[], :call_services::text[],
                :call_timeouts::double precision[]) WITH ORDINALITY AS c (id, name, arguments, service, timeout, place)
    ORDER BY c.place
    RETURNING *
), tally AS (
    SELECT count(*) FILTER (WHERE service IS NULL)::integer AS client,
           count(*) FILTER (WHERE service IS NOT NULL)::integer AS server,
           max(deadline) AS deadline,
           jsonb_agg(jsonb_build_object('id', id, 'type', 'function', 'function', jsonb_build_object(
               'name', name, 'arguments', arguments, 'output', NULL)) ORDER BY index) AS details,
           jsonb_agg(jsonb_build_object('id', id, 'type', 'function', 'function', jsonb_build_object(
               'name', name, 'arguments', arguments)) ORDER BY index) FILTER (WHERE service IS NULL) AS required
    FROM calls
), parked AS (
    -- A run that waits for a service outlives the deadline of its call, and long enough for the model to be told of it:
    -- at the most so long beyond its own life.
    UPDATE runs r SET status = CASE WHEN tally.client > 0 THEN 'requires_action' ELSE 'awaiting_tools' END,
                      worker = NULL, seq = r.seq + 2, open_client_calls = tally.client,
                      open_server_calls = tally.server, life_ends_at = coalesce(r.life_ends_at, r.expires_at),
                      expires_at = CASE
                          WHEN tally.deadline IS NOT NULL AND moment.now < coalesce(r.life_ends_at, r.expires_at)
                          THEN greatest(r.expires_at, tally.deadline + interval '60 s') ELSE r.expires_at END,
                      prompt_tokens = r.prompt_tokens + :prompt_tokens,
                      completion_tokens = r.completion_tokens + :completion_tokens
    FROM locked, tally, moment
    WHERE r.tenant_id = locked.tenant_id AND r.id = locked.id AND tally.client + tally.server > 0
    RETURNING r.tenant_id, r.thread_id, r.id, r.seq, r.attempt, r.status, run_snapshot(r) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_run_event(:worker, p.tenant_id, p.thread_id, p.id, p.seq - 1, p.attempt,
                          CASE WHEN moment.opened THEN 'threadworks.run-step.in_progress.v1'
                               ELSE 'threadworks.run-step.created.v1' END,
                          step.id, jsonb_build_object('step', step_snapshot(
                              step.whole, jsonb_build_object('type', 'tool_calls', 'tool_calls', tally.details))
                              || '{"usage": null}'),
                          moment.now) AS id
    FROM parked p, step, tally, moment
    UNION ALL
    SELECT emit_run_event(:worker, p.tenant_id, p.thread_id, p.id, p.seq, p.attempt,
                          'threadworks.run.' || p.status || '.v1', p.id, jsonb_build_object('run',
                          CASE WHEN tally.client = 0 THEN p.snapshot ELSE jsonb_set(p.snapshot, '{required_action}',
                              jsonb_build_object('type', 'submit_tool_outputs', 'submit_tool_outputs',
                                                 jsonb_build_object('tool_calls', tally.required))) END), moment.now)
    FROM parked p, tally, moment
    UNION ALL
    SELECT emit_event(:worker, p.tenant_id, p.thread_id, p.id, p.attempt, 'threadworks.tool-call.requested.v1', c.id,
                      jsonb_build_object('tool_call', jsonb_build_object(
                          'id', c.id, 'run_id', p.id, 'step_id', c.step_id, 'thread_id', p.thread_id,
                          'service', c.service, 'name', c.name, 'arguments', c.arguments,
                          'created_at', c.created_at, 'deadline', c.deadline)), moment.now)
    FROM parked p, calls c, moment WHERE c.service IS NOT NULL
)
SELECT array_agg(id) AS outbox_ids FROM published HAVING count(*) > 0;

-- name: lock_driven_run^
-- Locks a run that this worker drives, for an ending without an answer. No row: fenced.
SELECT * FROM runs
WHERE tenant_id = :tenant_id AND id = :run_id AND attempt = :attempt AND worker = :worker
  AND status IN ('in_progress', 'cancelling')
FOR NO KEY UPDATE;

-- name: abandon_step^
-- Fails the open step of a run that the caller has locked.
SELECT abandon_open_step(:owner, :tenant_id, :run_id, :reason) AS outbox_id;
