-- name: adopt_outbox
-- Takes over the unpublished events of dead processes, all of a process at once under the lock of its liveness row.
WITH dead AS MATERIALIZED (
    SELECT id FROM workers
    WHERE renewed_at < clock_timestamp() - :lease::interval AND id <> :owner
      AND EXISTS (SELECT FROM outbox WHERE outbox.owner = workers.id)
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET owner = :owner FROM dead WHERE outbox.owner = dead.id RETURNING outbox.id;

-- name: lost_runs
-- Locks runs whose worker is dead or gone.
SELECT r.* FROM runs r
WHERE r.worker IS NOT NULL AND r.driven AND r.status IN ('in_progress', 'cancelling')
  AND NOT EXISTS (SELECT FROM workers w
                  WHERE w.id = r.worker AND w.renewed_at >= clock_timestamp() - :lease::interval)
ORDER BY r.created_at, r.position LIMIT :limit
FOR NO KEY UPDATE OF r SKIP LOCKED;

-- name: expired_runs
-- Locks unfinished runs whose time is over.
SELECT * FROM runs
WHERE driven AND expires_at <= clock_timestamp()
  AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling')
ORDER BY expires_at LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED;

-- name: idle_runs
-- Locks parked runs that wait for nothing; answering queues them, so this is the net below it.
SELECT * FROM runs
WHERE driven AND status IN ('requires_action', 'awaiting_tools') AND open_client_calls + open_server_calls = 0
LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED;

-- name: overdue_calls
-- Calls that no service answered before their deadline.
SELECT tenant_id, run_id, id, service FROM tool_calls
WHERE answered_at IS NULL AND service IS NOT NULL AND deadline <= clock_timestamp()
ORDER BY deadline LIMIT :limit;

-- name: repeat_calls
-- Requests unanswered calls once more, at half of their time.
WITH due AS MATERIALIZED (
    SELECT tenant_id, id FROM tool_calls
    WHERE answered_at IS NULL AND repeat_at <= clock_timestamp() AND deadline > clock_timestamp()
    ORDER BY repeat_at LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
), repeated AS (
    UPDATE tool_calls c SET repeat_at = NULL FROM due WHERE c.tenant_id = due.tenant_id AND c.id = due.id
    RETURNING c.*
)
SELECT emit_event(:owner, c.tenant_id, r.thread_id, r.id, r.attempt, 'threadworks.tool-call.requested.v1', c.id,
                  jsonb_build_object('tool_call', jsonb_build_object(
                      'id', c.id, 'run_id', r.id, 'step_id', c.step_id, 'thread_id', r.thread_id,
                      'service', c.service, 'name', c.name, 'arguments', c.arguments,
                      'created_at', c.created_at, 'deadline', c.deadline)), clock_timestamp()) AS id
FROM repeated c JOIN runs r ON r.tenant_id = c.tenant_id AND r.id = c.run_id AND r.status IN ('requires_action', 'awaiting_tools');

-- name: prune_run_events!
-- Forgets the history of runs that ended long ago.
DELETE FROM run_events e USING runs r
WHERE e.created_at < clock_timestamp() - :retention::interval AND r.tenant_id = e.tenant_id AND r.id = e.run_id
  AND r.status IN ('completed', 'failed', 'incomplete', 'cancelled', 'expired');

-- name: prune_workers!
-- Forgets processes that died long ago and hold nothing.
DELETE FROM workers w
WHERE w.renewed_at < clock_timestamp() - :retention::interval
  AND NOT EXISTS (SELECT FROM outbox WHERE owner = w.id) AND NOT EXISTS (SELECT FROM runs WHERE worker = w.id);
