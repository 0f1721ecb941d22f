-- name: adopt_outbox
-- Takes over unpublished events of dead processes, the oldest first, under the locks of their liveness rows; and those
-- of processes that have no such row. The time is read once: an index can be searched for one value only.
WITH RECURSIVE owners AS (
    -- Hops from owner to owner along the index: there are few of them and many events.
    (SELECT owner FROM outbox ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT o.owner FROM outbox o WHERE o.owner > owners.owner ORDER BY o.owner LIMIT 1)
    FROM owners WHERE owners.owner IS NOT NULL
), dead AS MATERIALIZED (
    SELECT w.id FROM workers w
    WHERE w.id <> :owner AND w.renewed_at < (SELECT clock_timestamp()) - :lease::interval
      AND w.id IN (SELECT owner FROM owners)
    FOR UPDATE SKIP LOCKED
), gone AS (
    SELECT id FROM dead
    UNION ALL
    SELECT owner FROM owners
    WHERE owner <> :owner AND NOT EXISTS (SELECT FROM workers w WHERE w.id = owners.owner)
), left_behind AS MATERIALIZED (
    SELECT o.id FROM outbox o WHERE o.owner IN (SELECT id FROM gone) ORDER BY o.id LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET owner = :owner FROM left_behind WHERE outbox.id = left_behind.id RETURNING outbox.id;

-- name: lost_runs
-- Locks runs whose worker is dead or gone. Waiting for nothing, it may still see a run as it was before another sweep
-- and a new claim: the attempt tells.
WITH lost AS MATERIALIZED (
    SELECT r.tenant_id, r.id, r.attempt FROM runs r
    WHERE r.worker IS NOT NULL AND r.driven AND r.status IN ('in_progress', 'cancelling')
      AND NOT EXISTS (SELECT FROM workers w
                      WHERE w.id = r.worker AND w.renewed_at >= (SELECT clock_timestamp()) - :lease::interval)
)
SELECT r.tenant_id, r.thread_id, r.id, r.status, r.attempt, r.lost_workers
FROM lost JOIN runs r ON r.tenant_id = lost.tenant_id AND r.id = lost.id
WHERE r.attempt = lost.attempt AND r.worker IS NOT NULL AND r.status IN ('in_progress', 'cancelling')
ORDER BY r.created_at, r.position LIMIT :limit
FOR NO KEY UPDATE OF r SKIP LOCKED;

-- name: expired_runs
-- Locks unfinished runs whose time is over.
SELECT tenant_id, thread_id, id, status FROM runs
WHERE driven AND expires_at <= (SELECT clock_timestamp())
  AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling')
ORDER BY expires_at LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED;

-- name: idle_runs
-- Locks parked runs that wait for nothing; answering queues them, so this is the net below it.
SELECT tenant_id, thread_id, id FROM runs
WHERE driven AND status IN ('requires_action', 'awaiting_tools') AND open_client_calls + open_server_calls = 0
LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED;

-- name: overdue_calls
-- Calls that no service answered before their deadline, of runs that wait for them.
SELECT c.tenant_id, c.run_id, c.id, c.service FROM tool_calls c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.id = c.run_id AND r.status IN ('requires_action', 'awaiting_tools')
WHERE c.answered_at IS NULL AND c.service IS NOT NULL AND c.deadline <= (SELECT clock_timestamp())
ORDER BY c.deadline LIMIT :limit;

-- name: repeat_calls
-- Requests unanswered calls once more, at half of their time.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), due AS MATERIALIZED (
    SELECT tenant_id, run_id, id FROM tool_calls
    WHERE answered_at IS NULL AND repeat_at <= (SELECT now FROM moment)
    ORDER BY repeat_at LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
), repeated AS (
    UPDATE tool_calls c SET repeat_at = NULL FROM due
    WHERE c.tenant_id = due.tenant_id AND c.run_id = due.run_id AND c.id = due.id
    RETURNING c.*
)
SELECT emit_event(:owner, c.tenant_id, r.thread_id, r.id, r.attempt, 'threadworks.tool-call.requested.v1', c.id,
                  jsonb_build_object('tool_call', jsonb_build_object(
                      'id', c.id, 'run_id', r.id, 'step_id', c.step_id, 'thread_id', r.thread_id,
                      'service', c.service, 'name', c.name, 'arguments', c.arguments,
                      'created_at', c.created_at, 'deadline', c.deadline)), moment.now) AS id
FROM moment, repeated c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.id = c.run_id AND r.status IN ('requires_action', 'awaiting_tools')
WHERE c.deadline > moment.now;

-- name: prune_run_events^
-- Forgets old history of runs that have ended, some of it at a time: as much as has piled up would take longer than a
-- statement may.
WITH old AS MATERIALIZED (
    SELECT e.tenant_id, e.run_id, e.seq FROM run_events e
    JOIN runs r ON r.tenant_id = e.tenant_id AND r.id = e.run_id
                   AND r.status IN ('completed', 'failed', 'incomplete', 'cancelled', 'expired')
    WHERE e.created_at < (SELECT clock_timestamp()) - :retention::interval
    ORDER BY e.created_at LIMIT :limit
), forgotten AS (
    DELETE FROM run_events e USING old
    WHERE e.tenant_id = old.tenant_id AND e.run_id = old.run_id AND e.seq = old.seq
    RETURNING e.seq
)
SELECT count(*)::integer AS count FROM forgotten;

-- name: prune_workers!
-- Forgets processes that died long ago and hold nothing.
DELETE FROM workers w
WHERE w.renewed_at < (SELECT clock_timestamp()) - :retention::interval
  AND NOT EXISTS (SELECT FROM outbox WHERE owner = w.id) AND NOT EXISTS (SELECT FROM runs WHERE worker = w.id);
