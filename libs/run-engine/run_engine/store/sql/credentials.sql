-- name: put_credential^
-- Keeps a sealed credential of a thread for a tool service, instead of the one before. No row: there is no such thread.
INSERT INTO thread_credentials (tenant_id, thread_id, service, sealed, given_at)
SELECT thread.tenant_id, thread.id, :service, :sealed, clock_timestamp()
FROM (SELECT tenant_id, id FROM threads WHERE tenant_id = :tenant_id AND id = :thread_id FOR KEY SHARE) AS thread
ON CONFLICT (tenant_id, thread_id, service) DO UPDATE SET sealed = excluded.sealed, given_at = excluded.given_at
RETURNING service;

-- name: forget_credential!
-- Forgets what a thread has for a tool service, if anything.
DELETE FROM thread_credentials WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND service = :service;
