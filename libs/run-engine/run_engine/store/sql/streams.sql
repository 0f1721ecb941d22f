-- name: run_events_after
-- The events of many runs, each from its own place on.
SELECT e.tenant_id, e.run_id, e.seq, e.type, e.subject, e.data, e.created_at
FROM unnest(:tenant_ids::text[], :run_ids::text[], :seqs::integer[]) AS seen (tenant_id, run_id, seq)
JOIN run_events e ON e.tenant_id = seen.tenant_id AND e.run_id = seen.run_id AND e.seq > seen.seq
ORDER BY e.tenant_id, e.run_id, e.seq;

-- name: run_states
-- Where many runs stand. Runs that are gone have no row.
SELECT r.tenant_id, r.id, r.seq, r.status
FROM unnest(:tenant_ids::text[], :run_ids::text[]) AS asked (tenant_id, run_id)
JOIN runs r ON r.tenant_id = asked.tenant_id AND r.id = asked.run_id;

-- name: add_stream_slot!
-- Adds a reader's slot to a run that has not ended; its worker hears of it at its next renewal.
UPDATE runs SET stream_slots = stream_slots || :slot::smallint
WHERE tenant_id = :tenant_id AND id = :run_id AND NOT stream_slots @> ARRAY[:slot::smallint]
  AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling');

-- name: add_stream_slots!
-- Adds a slot to many runs. One that their gateway has lost stays, for another gateway that streams them may have it by
-- now. The runs are locked in one order, for others do the same.
WITH streamed AS MATERIALIZED (
    SELECT r.tenant_id, r.id FROM runs r
    JOIN unnest(:tenant_ids::text[], :run_ids::text[]) AS asked (tenant_id, run_id)
      ON r.tenant_id = asked.tenant_id AND r.id = asked.run_id
    WHERE r.status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling')
      AND NOT r.stream_slots @> ARRAY[:slot::smallint]
    ORDER BY r.tenant_id, r.id FOR NO KEY UPDATE OF r
)
UPDATE runs r SET stream_slots = r.stream_slots || :slot::smallint
FROM streamed WHERE r.tenant_id = streamed.tenant_id AND r.id = streamed.id
  AND NOT r.stream_slots @> ARRAY[:slot::smallint];

-- name: take_stream_slot^
-- Leases the slot that has been free for the longest time, so that late records for its last reader have passed, and
-- the runs that it has streamed: a worker sends a text to each slot once, so its next reader would get the rest alone.
WITH free AS MATERIALIZED (
    -- A subquery and no join: a slot that was taken just now is looked at again under its lock, a joined row is not.
    SELECT s.slot FROM stream_slots s
    WHERE NOT EXISTS (SELECT FROM workers w
                      WHERE w.id = s.worker AND w.renewed_at >= clock_timestamp() - :lease::interval)
    ORDER BY s.held_at NULLS FIRST, s.slot LIMIT 1
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE stream_slots s SET worker = :worker, held_at = clock_timestamp()
FROM free WHERE s.slot = free.slot RETURNING s.slot;

-- name: keep_stream_slot^
-- The slot, if it is still this process's, and a note that it is.
UPDATE stream_slots SET held_at = clock_timestamp() WHERE slot = :slot AND worker = :worker RETURNING slot;

-- name: release_stream_slot!
-- Gives a slot back.
UPDATE stream_slots SET worker = NULL, held_at = clock_timestamp() WHERE slot = :slot AND worker = :worker;
