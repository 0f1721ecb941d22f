-- name: unpublished
-- The given events and every older unpublished one of their threads, whoever owns it, in the order of publication.
WITH newest AS MATERIALIZED (
    SELECT tenant_id, thread_id, max(id) AS id FROM outbox WHERE id = ANY(:ids::bigint[]) GROUP BY tenant_id, thread_id
)
SELECT o.* FROM newest n JOIN outbox o ON o.tenant_id = n.tenant_id AND o.thread_id = n.thread_id AND o.id <= n.id
ORDER BY o.id;

-- name: owned
-- Ids of the events a process still has to publish.
SELECT id FROM outbox WHERE owner = :owner ORDER BY id LIMIT :limit;

-- name: delete_published!
-- Forgets events that Kafka has acknowledged. Another relay may be deleting some of them, in the order of another plan:
-- waiting for it could be a deadlock, and is of no use.
WITH free AS MATERIALIZED (
    SELECT id FROM outbox WHERE id = ANY(:ids::bigint[]) FOR UPDATE SKIP LOCKED
)
DELETE FROM outbox USING free WHERE outbox.id = free.id;

-- name: reject!
-- Sets an event aside that can never be published.
WITH removed AS (
    DELETE FROM outbox WHERE id = :id RETURNING *
)
INSERT INTO outbox_rejected (id, event_id, producer, tenant_id, thread_id, run_id, seq, type, subject, data, created_at,
                             reason)
SELECT id, event_id, producer, tenant_id, thread_id, run_id, seq, type, subject, data, created_at, :reason FROM removed
ON CONFLICT (id) DO NOTHING;
