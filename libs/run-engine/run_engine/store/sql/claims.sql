-- name: claim_run^
-- Takes a queued run for a worker: the compare-and-set that raises the attempt. No row: there is nothing to do. The newest
-- messages of the thread come along, if they are not too much, for they are the first that the worker needs. They are
-- those of the statement's snapshot, so there are none if the run has gone on between that and the lock.
WITH seen AS MATERIALIZED (
    SELECT seq FROM runs WHERE tenant_id = :tenant_id AND id = :run_id
), locked AS MATERIALIZED (
    SELECT tenant_id, id FROM runs
    WHERE tenant_id = :tenant_id AND id = :run_id AND status = 'queued' AND driven AND expires_at > clock_timestamp()
    FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked
), claimed AS (
    UPDATE runs r SET status = 'in_progress', attempt = r.attempt + 1, worker = :worker, seq = r.seq + 1,
                      started_at = coalesce(r.started_at, moment.now)
    FROM locked, moment WHERE r.tenant_id = locked.tenant_id AND r.id = locked.id
    RETURNING r.*, run_snapshot(r) AS snapshot
), published AS MATERIALIZED (
    SELECT emit_run_event(:worker, c.tenant_id, c.thread_id, c.id, c.seq, c.attempt, 'threadworks.run.in_progress.v1',
                          c.id, jsonb_build_object('run', c.snapshot), moment.now) AS id
    FROM claimed c, moment
)
SELECT claimed.*, (SELECT array_agg(published.id) FROM published) AS outbox_ids,
       CASE WHEN claimed.seq = (SELECT seq + 1 FROM seen) AND :most_bytes::bigint >= (
           SELECT sum(newest.bytes) FROM (
               SELECT bytes FROM messages m WHERE m.tenant_id = claimed.tenant_id AND m.thread_id = claimed.thread_id
               ORDER BY m.created_at DESC, m.position DESC LIMIT :messages::integer) AS newest
       ) THEN (
           SELECT json_agg(to_json(newest) ORDER BY newest.created_at DESC, newest.position DESC) FROM (
               SELECT * FROM messages m WHERE m.tenant_id = claimed.tenant_id AND m.thread_id = claimed.thread_id
               ORDER BY m.created_at DESC, m.position DESC LIMIT :messages::integer) AS newest
       ) END AS newest_messages,
       extract(epoch FROM moment.now - coalesce(claimed.queued_at, claimed.created_at))::float AS queued_seconds,
       jsonb_build_object('seq', claimed.seq, 'type', 'threadworks.run.in_progress.v1', 'subject', claimed.id,
                          'data', jsonb_build_object('run', claimed.snapshot), 'created_at', moment.now) AS claim_event
FROM claimed, moment;

-- name: queued_runs
-- The runs that have waited longest; finding them takes nothing, claiming does.
SELECT tenant_id, id FROM runs WHERE status = 'queued' AND driven ORDER BY created_at, position LIMIT :limit;
