-- name: answer_calls^
-- Stores outputs of open calls and lowers the counts; the last one completes the step and queues the run. Calls that
-- are answered already, of ended runs, or of the other kind (null: there is none) change nothing. No row: nothing changed.
-- The client's outputs make an imported run a driven one, whose time begins now.
WITH locked AS MATERIALIZED (
    SELECT tenant_id, id, status FROM runs
    WHERE tenant_id = :tenant_id AND id = :run_id AND status IN ('requires_action', 'awaiting_tools')
    FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked
), answered AS (
    UPDATE tool_calls c SET output = given.output, answered_at = moment.now, repeat_at = NULL
    FROM locked, moment, unnest(:call_ids::text[], :outputs::text[]) AS given (id, output)
    WHERE c.tenant_id = locked.tenant_id AND c.run_id = locked.id AND c.id = given.id AND c.answered_at IS NULL
      AND (:by_client::boolean IS NULL OR (c.service IS NULL) = :by_client)
    RETURNING c.step_id, c.service, c.created_at
), tally AS MATERIALIZED (
    SELECT min(step_id) AS step_id, min(service) AS service, min(created_at) AS created_at,
           count(*) FILTER (WHERE service IS NULL)::integer AS client,
           count(*) FILTER (WHERE service IS NOT NULL)::integer AS server
    FROM answered HAVING count(*) > 0
), moved AS (
    UPDATE runs r SET
        open_client_calls = r.open_client_calls - tally.client,
        open_server_calls = r.open_server_calls - tally.server,
        status = CASE
            WHEN r.open_client_calls - tally.client + r.open_server_calls - tally.server = 0 THEN 'queued'
            WHEN r.open_client_calls - tally.client = 0 THEN 'awaiting_tools'
            ELSE r.status END,
        seq = r.seq + CASE
            WHEN r.open_client_calls - tally.client + r.open_server_calls - tally.server = 0 THEN 2
            WHEN r.open_client_calls - tally.client = 0 AND r.status = 'requires_action' THEN 1
            ELSE 0 END,
        lost_workers = CASE
            WHEN r.open_client_calls - tally.client + r.open_server_calls - tally.server = 0 THEN 0
            ELSE r.lost_workers END,
        driven = r.driven OR tally.client > 0,
        expires_at = CASE WHEN r.driven OR tally.client = 0 THEN r.expires_at ELSE moment.now + (
            SELECT coalesce(max(run_lifetime), interval '600 s') FROM tenants WHERE id = :tenant_id) END
    FROM locked, tally, moment WHERE r.tenant_id = locked.tenant_id AND r.id = locked.id
    RETURNING r AS whole, r.tenant_id, r.thread_id, r.id, r.status, r.seq, r.attempt, tally.step_id,
              locked.status AS status_before, run_snapshot(r) AS snapshot
), step AS (
    UPDATE run_steps s SET status = 'completed', completed_at = moment.now
    FROM moved, moment WHERE moved.status = 'queued' AND s.tenant_id = moved.tenant_id AND s.id = moved.step_id
    RETURNING s.id
), published AS MATERIALIZED (
    SELECT emit_tools_completed(:owner, step.id, moved.seq - 1, moved.whole, moment.now) AS id
    FROM moved, step, moment
    UNION ALL
    SELECT emit_run_event(:owner, m.tenant_id, m.thread_id, m.id, m.seq, m.attempt,
                          'threadworks.run.' || m.status || '.v1', m.id, jsonb_build_object('run', m.snapshot),
                          moment.now)
    FROM moved m, moment WHERE m.status <> m.status_before
    UNION ALL
    SELECT emit_event(:owner, m.tenant_id, m.thread_id, m.id, m.attempt, 'threadworks.run.requested.v1', m.id,
                      jsonb_build_object('run', jsonb_build_object('id', m.id, 'thread_id', m.thread_id)), moment.now)
    FROM moved m, moment WHERE m.status = 'queued'
)
SELECT moved.status, (SELECT array_agg(published.id) FROM published) AS outbox_ids, tally.service,
       extract(epoch FROM moment.now - tally.created_at)::float AS seconds
FROM moved, tally, moment;

-- name: open_client_calls
-- The calls that a run waits for its client to answer, in the order of the model.
SELECT id FROM tool_calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND service IS NULL AND answered_at IS NULL
ORDER BY index;

-- name: open_calls
-- The calls that a run waits for, of clients and services, in the order of the model.
SELECT id, name, arguments, service, output FROM tool_calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND thread_id = :thread_id AND answered_at IS NULL
ORDER BY index;

-- name: calls_of_run
-- All calls of a run, in the order of its steps and of the model.
SELECT c.id, c.name, c.arguments, c.service, c.output, c.answered_at IS NULL AS is_open
FROM tool_calls c JOIN run_steps s ON s.tenant_id = c.tenant_id AND s.id = c.step_id
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id
ORDER BY s.created_at, s.position, c.index;

-- name: find_call^
-- A call by its id alone, and its run. Imported runs may have calls of the same id: the newest.
SELECT run_id, id, name, arguments, service, output FROM tool_calls
WHERE tenant_id = :tenant_id AND id = :call_id
ORDER BY created_at DESC, position DESC LIMIT 1;
