-- name: lock_run^
-- Locks a run before a cold move is decided.
SELECT * FROM runs WHERE tenant_id = :tenant_id AND id = :run_id FOR NO KEY UPDATE;

-- name: end_run^
-- Ends a run that the caller has locked, without an answer: closes what is open and frees the thread. `said` is what its
-- open message holds so far, null where nobody knows.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), unlocked AS (
    UPDATE threads SET active_run = NULL
    WHERE tenant_id = :tenant_id AND id = :thread_id AND active_run = :run_id
    RETURNING id
), steps AS (
    UPDATE run_steps s SET
        status = :status, last_error = :last_error,
        cancelled_at = CASE WHEN :status = 'cancelled' THEN moment.now END,
        failed_at = CASE WHEN :status = 'failed' THEN moment.now END,
        expired_at = CASE WHEN :status = 'expired' THEN moment.now END
    FROM moment
    WHERE s.tenant_id = :tenant_id AND s.run_id = :run_id AND s.status = 'in_progress'
    RETURNING s.id, s.position, step_snapshot(s, step_details(s)) AS snapshot
), messages AS (
    UPDATE messages m SET status = 'incomplete', incomplete_at = moment.now,
                          incomplete_details = jsonb_build_object('reason', 'run_' || :status),
                          content = coalesce(:said, content)
    FROM moment
    WHERE m.tenant_id = :tenant_id AND m.thread_id = :thread_id AND m.run_id = :run_id AND m.status = 'in_progress'
    RETURNING m.id, m.position, message_snapshot(m) AS snapshot
), calls AS (
    -- Nobody waits for these calls any more, so the sweeper must not look at them again.
    UPDATE tool_calls c SET deadline = NULL, repeat_at = NULL
    WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.answered_at IS NULL
), closed AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY kind, position)::integer AS place, id, type, data FROM (
        SELECT 1 AS kind, position, id, 'threadworks.message.incomplete.v1' AS type,
               jsonb_build_object('message', snapshot) AS data FROM messages
        UNION ALL
        SELECT 2, position, id, 'threadworks.run-step.' || :status || '.v1', jsonb_build_object('step', snapshot)
        FROM steps
    ) AS things
), ended AS (
    UPDATE runs r SET
        status = :status, worker = NULL, open_client_calls = 0, open_server_calls = 0,
        seq = r.seq + 1 + (SELECT count(*) FROM closed)::integer,
        last_error = :last_error, incomplete_details = :incomplete_details,
        prompt_tokens = r.prompt_tokens + :prompt_tokens,
        completion_tokens = r.completion_tokens + :completion_tokens,
        cancelled_at = CASE WHEN :status = 'cancelled' THEN moment.now END,
        failed_at = CASE WHEN :status = 'failed' THEN moment.now END
    FROM moment WHERE r.tenant_id = :tenant_id AND r.id = :run_id
    RETURNING r.*, run_snapshot(r) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_run_event(:owner, e.tenant_id, e.thread_id, e.id,
                          e.seq - 1 - (SELECT count(*) FROM closed)::integer + c.place, e.attempt, c.type, c.id, c.data,
                          moment.now) AS id
    FROM ended e, (SELECT * FROM closed ORDER BY place) AS c, moment
    UNION ALL
    SELECT emit_run_event(:owner, e.tenant_id, e.thread_id, e.id, e.seq, e.attempt,
                          'threadworks.run.' || :status || '.v1', e.id, jsonb_build_object('run', e.snapshot), moment.now)
    FROM ended e, moment
)
SELECT ended.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids FROM ended;

-- name: queue_run^
-- Queues a run again that the caller has locked: its worker handed it back or died, or nothing is open any more.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), queued AS (
    UPDATE runs r SET status = 'queued', worker = NULL, seq = r.seq + 1, lost_workers = :lost_workers,
                      open_client_calls = 0, open_server_calls = 0
    WHERE r.tenant_id = :tenant_id AND r.id = :run_id
    RETURNING r.*, run_snapshot(r) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_run_event(:owner, q.tenant_id, q.thread_id, q.id, q.seq, q.attempt, 'threadworks.run.queued.v1', q.id,
                          jsonb_build_object('run', q.snapshot), moment.now) AS id
    FROM queued q, moment
    UNION ALL
    SELECT emit_event(:owner, q.tenant_id, q.thread_id, q.id, q.attempt, 'threadworks.run.requested.v1', q.id,
                      jsonb_build_object('run', jsonb_build_object('id', q.id, 'thread_id', q.thread_id)), moment.now)
    FROM queued q, moment
)
SELECT queued.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids FROM queued;

-- name: mark_cancelling^
-- Asks the worker of a run that the caller has locked to stop; it sees this at its next renewal, at the latest.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), marked AS (
    UPDATE runs r SET status = 'cancelling', seq = r.seq + 1
    WHERE r.tenant_id = :tenant_id AND r.id = :run_id
    RETURNING r.*, run_snapshot(r) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_run_event(:owner, m.tenant_id, m.thread_id, m.id, m.seq, m.attempt, 'threadworks.run.cancelling.v1',
                          m.id, jsonb_build_object('run', m.snapshot), moment.now) AS id
    FROM marked m, moment
    UNION ALL
    SELECT emit_event(:owner, m.tenant_id, m.thread_id, m.id, m.attempt, 'threadworks.run.cancel-requested.v1', m.id,
                      jsonb_build_object('run', jsonb_build_object('id', m.id, 'thread_id', m.thread_id)), moment.now)
    FROM marked m, moment
)
SELECT marked.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids FROM marked;
