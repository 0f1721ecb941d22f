-- name: register_worker!
-- Makes the liveness row of a process.
INSERT INTO workers (id, role) VALUES (:worker, :role)
ON CONFLICT (id) DO UPDATE SET renewed_at = clock_timestamp();

-- name: renew_worker
-- Renews the lease of a process and returns the runs it owns, with the slots they are streamed to.
-- No row at all: the liveness row is gone.
WITH renewed AS (
    UPDATE workers SET renewed_at = clock_timestamp() WHERE id = :worker RETURNING id
)
SELECT r.tenant_id, r.id AS run_id, r.status, r.attempt, r.stream_slots
FROM renewed LEFT JOIN runs r ON r.worker = renewed.id;

-- name: retire_worker!
-- Ends a lease at once: what the process still holds is free for others to take.
UPDATE workers SET renewed_at = '-infinity' WHERE id = :worker;
