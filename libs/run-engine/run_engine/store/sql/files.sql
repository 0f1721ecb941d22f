-- name: reserve_file^
-- Begins an upload: counts its first bytes and names its key. No row: the tenant's quota would be exceeded.
WITH counted AS (
    INSERT INTO file_usage (tenant_id, bytes)
    SELECT t.id, :bytes::bigint FROM tenants t WHERE t.id = :tenant_id AND :bytes::bigint <= t.file_quota
    ON CONFLICT (tenant_id) DO UPDATE SET bytes = file_usage.bytes + excluded.bytes
    WHERE file_usage.bytes + excluded.bytes <= (SELECT t.file_quota FROM tenants t WHERE t.id = file_usage.tenant_id)
    RETURNING tenant_id
)
INSERT INTO loose_files (storage_key, tenant_id, bytes, free_at)
SELECT :storage_key, counted.tenant_id, :bytes, clock_timestamp() + :lease::interval FROM counted
RETURNING storage_key;

-- name: extend_file^
-- Goes on with an upload: counts more of its bytes and moves its end on. `alive` is false where it was given up;
-- `counted` is false where the quota would be exceeded.
WITH loose AS MATERIALIZED (
    SELECT storage_key, tenant_id FROM loose_files
    WHERE storage_key = :storage_key AND tenant_id = :tenant_id AND NOT doomed
    FOR UPDATE
), counted AS (
    INSERT INTO file_usage (tenant_id, bytes)
    SELECT loose.tenant_id, :bytes::bigint FROM loose
    ON CONFLICT (tenant_id) DO UPDATE SET bytes = file_usage.bytes + excluded.bytes
    WHERE file_usage.bytes + excluded.bytes <= (SELECT t.file_quota FROM tenants t WHERE t.id = file_usage.tenant_id)
    RETURNING tenant_id
), extended AS (
    UPDATE loose_files l SET bytes = l.bytes + :bytes, free_at = clock_timestamp() + :lease::interval
    FROM loose, counted WHERE l.storage_key = loose.storage_key
    RETURNING l.storage_key
)
SELECT EXISTS (SELECT FROM loose) AS alive, EXISTS (SELECT FROM extended) AS counted;

-- name: create_file^
-- Makes a file of an upload that is all there, and gives back what it had reserved too much. No row: it was given up.
WITH loose AS (
    DELETE FROM loose_files WHERE storage_key = :storage_key AND tenant_id = :tenant_id AND NOT doomed
    RETURNING tenant_id, bytes
), settled AS (
    UPDATE file_usage u SET bytes = u.bytes - loose.bytes + :bytes FROM loose WHERE u.tenant_id = loose.tenant_id
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM loose
)
INSERT INTO files (tenant_id, id, created_at, bytes, filename, purpose, status, expires_at, storage_key)
SELECT loose.tenant_id, :id, moment.now, :bytes, :filename, :purpose, 'processed',
       moment.now + :expires_after::interval, :storage_key
FROM loose, moment
RETURNING *;

-- name: get_file^
-- One file.
SELECT * FROM files
WHERE tenant_id = :tenant_id AND id = :id AND (expires_at IS NULL OR expires_at > clock_timestamp());

-- name: list_files
-- Files between two places of the list, of one purpose or of all, nearest to its chosen end first.
WITH page AS (
    (SELECT id FROM files
     WHERE :ascending::boolean AND :purpose::text IS NULL AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (expires_at IS NULL OR expires_at > (SELECT clock_timestamp()))
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id FROM files
     WHERE NOT :ascending::boolean AND :purpose::text IS NULL AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (expires_at IS NULL OR expires_at > (SELECT clock_timestamp()))
     ORDER BY created_at DESC, position DESC LIMIT :limit)
    UNION ALL
    (SELECT id FROM files
     WHERE :ascending::boolean AND tenant_id = :tenant_id AND purpose = :purpose
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (expires_at IS NULL OR expires_at > (SELECT clock_timestamp()))
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id FROM files
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND purpose = :purpose
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
       AND (expires_at IS NULL OR expires_at > (SELECT clock_timestamp()))
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT f.* FROM page JOIN files f ON f.tenant_id = :tenant_id AND f.id = page.id
ORDER BY f.created_at, f.position;

-- name: place_of_file^
-- Where a file stands in the list.
SELECT created_at, position FROM files WHERE tenant_id = :tenant_id AND id = :id;

-- name: unknown_files
-- Which of these ids no file has.
SELECT wanted.id FROM unnest(:ids::text[]) WITH ORDINALITY AS wanted (id, place)
WHERE NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = :tenant_id AND f.id = wanted.id
                  AND (f.expires_at IS NULL OR f.expires_at > (SELECT clock_timestamp())))
ORDER BY wanted.place;

-- name: delete_file^
-- Deletes a file; its bytes become loose, and may be deleted at once.
WITH gone AS (
    DELETE FROM files
    WHERE tenant_id = :tenant_id AND id = :id AND (expires_at IS NULL OR expires_at > clock_timestamp())
    RETURNING tenant_id, storage_key, bytes
), loosened AS (
    INSERT INTO loose_files (storage_key, tenant_id, bytes, free_at, doomed)
    SELECT gone.storage_key, gone.tenant_id, gone.bytes, clock_timestamp() + :lease::interval, true
    FROM gone WHERE gone.storage_key IS NOT NULL
)
SELECT gone.storage_key FROM gone;

-- name: doom_file^
-- Gives an upload up: nothing can come of it any more. No row: it has become a file, or was given up before.
UPDATE loose_files SET doomed = true, free_at = clock_timestamp() + :lease::interval
WHERE storage_key = :storage_key AND tenant_id = :tenant_id AND NOT doomed
RETURNING storage_key;

-- name: forget_loose_file!
-- The bytes under this key are gone: they count no more. Ordered as everywhere: the loose file, then the usage.
WITH loose AS (
    DELETE FROM loose_files WHERE storage_key = :storage_key AND doomed RETURNING tenant_id, bytes
)
UPDATE file_usage u SET bytes = u.bytes - loose.bytes FROM loose WHERE u.tenant_id = loose.tenant_id;

-- name: expire_files^
-- Deletes files whose time is over; their bytes become loose.
WITH over AS MATERIALIZED (
    SELECT tenant_id, id FROM files WHERE expires_at <= (SELECT clock_timestamp())
    ORDER BY expires_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM files f USING over WHERE f.tenant_id = over.tenant_id AND f.id = over.id
    RETURNING f.tenant_id, f.storage_key, f.bytes
), loosened AS (
    INSERT INTO loose_files (storage_key, tenant_id, bytes, free_at, doomed)
    SELECT gone.storage_key, gone.tenant_id, gone.bytes, clock_timestamp(), true
    FROM gone WHERE gone.storage_key IS NOT NULL
)
SELECT count(*)::integer AS count FROM gone;

-- name: free_loose_files
-- Takes loose files whose time has come, to delete their bytes; nobody else takes them for the time of a lease.
WITH due AS MATERIALIZED (
    SELECT storage_key FROM loose_files WHERE free_at <= (SELECT clock_timestamp())
    ORDER BY free_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE loose_files l SET doomed = true, free_at = clock_timestamp() + :lease::interval
FROM due WHERE l.storage_key = due.storage_key
RETURNING l.storage_key;
