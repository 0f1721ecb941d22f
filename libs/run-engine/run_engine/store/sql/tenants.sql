-- name: ensure_tenant!
-- Makes a tenant unless it is there.
INSERT INTO tenants (id, name, tool_services) VALUES (:id, :name, :tool_services) ON CONFLICT (id) DO NOTHING;

-- name: get_tenant^
-- One tenant.
SELECT * FROM tenants WHERE id = :id;

-- name: create_key!
-- Stores a key by its digest; the same key again changes nothing.
INSERT INTO api_keys (id, tenant_id, digest, name, scopes) VALUES (:id, :tenant_id, :digest, :name, :scopes)
ON CONFLICT (digest) DO NOTHING;

-- name: find_key^
-- The owner and the scopes of a key.
SELECT k.id, k.tenant_id, k.scopes FROM api_keys k WHERE k.digest = :digest AND k.revoked_at IS NULL;

-- name: delete_key!
-- Forgets a key.
DELETE FROM api_keys WHERE digest = :digest;
