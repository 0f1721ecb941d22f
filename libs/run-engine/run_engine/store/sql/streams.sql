-- name: run_events_after
-- The events of many runs, each from its own place on.
SELECT e.tenant_id, e.run_id, e.seq, e.type, e.subject, e.data, e.created_at
FROM unnest(:tenant_ids::text[], :run_ids::text[], :seqs::integer[]) AS seen (tenant_id, run_id, seq)
JOIN run_events e ON e.tenant_id = seen.tenant_id AND e.run_id = seen.run_id AND e.seq > seen.seq
ORDER BY e.tenant_id, e.run_id, e.seq;

-- name: add_stream_slot!
-- Adds a reader's slot to a run that has not ended; its worker hears of it at its next renewal.
UPDATE runs SET stream_slots = stream_slots || :slot::smallint
WHERE tenant_id = :tenant_id AND id = :run_id AND NOT stream_slots @> ARRAY[:slot::smallint]
  AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling');

-- name: move_stream_slot!
-- Lets the streams of a gateway that has lost its slot go on through another one. The runs are locked in one order, for
-- others do the same.
WITH moved AS MATERIALIZED (
    SELECT r.tenant_id, r.id FROM runs r
    JOIN unnest(:tenant_ids::text[], :run_ids::text[]) AS streamed (tenant_id, run_id)
      ON r.tenant_id = streamed.tenant_id AND r.id = streamed.run_id
    WHERE r.status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling')
    ORDER BY r.tenant_id, r.id FOR NO KEY UPDATE OF r
)
UPDATE runs r SET stream_slots = array_remove(array_remove(r.stream_slots, :old::smallint), :new::smallint)
                                 || :new::smallint
FROM moved WHERE r.tenant_id = moved.tenant_id AND r.id = moved.id;

-- name: take_stream_slot^
-- Leases the slot that has been free for the longest time, so that late records for its last reader have passed.
WITH free AS MATERIALIZED (
    -- A subquery and no join: a slot that was taken just now is looked at again under its lock, a joined row is not.
    SELECT s.slot FROM stream_slots s
    WHERE NOT EXISTS (SELECT FROM workers w
                      WHERE w.id = s.worker AND w.renewed_at >= clock_timestamp() - :lease::interval)
    ORDER BY s.taken_at NULLS FIRST, s.slot LIMIT 1
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE stream_slots s SET worker = :worker, taken_at = clock_timestamp()
FROM free WHERE s.slot = free.slot RETURNING s.slot;

-- name: owned_stream_slot^
-- The slot, if it is still this process's.
SELECT slot FROM stream_slots WHERE slot = :slot AND worker = :worker;

-- name: release_stream_slot!
-- Gives a slot back.
UPDATE stream_slots SET worker = NULL WHERE slot = :slot AND worker = :worker;
