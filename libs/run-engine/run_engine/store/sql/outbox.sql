-- name: unpublished
-- The given events and every older unpublished one of their threads, whoever owns it, in the order of publication.
SELECT o.* FROM outbox o WHERE o.id = ANY(:ids::bigint[])
UNION
SELECT older.* FROM outbox mine
JOIN outbox older ON older.tenant_id = mine.tenant_id AND older.thread_id = mine.thread_id AND older.id < mine.id
WHERE mine.id = ANY(:ids::bigint[])
ORDER BY id;

-- name: owned
-- Ids of the events a process still has to publish.
SELECT id FROM outbox WHERE owner = :owner ORDER BY id LIMIT :limit;

-- name: delete_published!
-- Forgets events that Kafka has acknowledged.
DELETE FROM outbox WHERE id = ANY(:ids::bigint[]);

-- name: reject!
-- Sets an event aside that can never be published.
WITH removed AS (
    DELETE FROM outbox WHERE id = :id RETURNING *
)
INSERT INTO outbox_rejected (id, event_id, tenant_id, thread_id, run_id, seq, type, subject, data, created_at, reason)
SELECT id, event_id, tenant_id, thread_id, run_id, seq, type, subject, data, created_at, :reason FROM removed
ON CONFLICT (id) DO NOTHING;
