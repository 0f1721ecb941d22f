-- name: claim_key^
-- Takes a key, waiting for whoever uses it at this moment. No row: a reply is kept under it, to be read by the next
-- statement. The limit to the wait holds for the whole transaction: what others wait for must not wait long itself.
INSERT INTO idempotency_keys (tenant_id, name, fingerprint, created_at)
SELECT :tenant_id, :name, :fingerprint, clock_timestamp()
FROM set_config('lock_timeout', :longest_wait, true)
ON CONFLICT (tenant_id, name) DO NOTHING
RETURNING created_at;

-- name: kept_reply^
-- The reply that is kept under a key.
SELECT fingerprint, status, headers, body, stream FROM idempotency_keys
WHERE tenant_id = :tenant_id AND name = :name;

-- name: keep_reply!
-- Keeps the reply under a key that the transaction has taken.
UPDATE idempotency_keys SET status = :status, headers = :headers, body = :body, stream = :stream
WHERE tenant_id = :tenant_id AND name = :name;

-- name: prune_idempotency_keys^
-- Forgets old keys, some of them at a time.
WITH old AS MATERIALIZED (
    SELECT tenant_id, name FROM idempotency_keys
    WHERE created_at < (SELECT clock_timestamp()) - :retention::interval
    ORDER BY created_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM idempotency_keys k USING old WHERE k.tenant_id = old.tenant_id AND k.name = old.name
    RETURNING k.name
)
SELECT count(*)::integer AS count FROM forgotten;
