-- oldest code that can live with this schema: 1
--
-- Files. Their bytes are elsewhere (a folder, an S3 bucket), under a key that is made for each upload and never used
-- again. Bytes may be there only while a row here names their key: `loose_files` before they are all written and after
-- their file was deleted, `files` in between. So whatever dies at whatever moment, no bytes are ever forgotten, and a
-- file that can be seen has all of its bytes.

-- Bytes that a tenant's files may have together.
ALTER TABLE tenants ADD COLUMN file_quota bigint NOT NULL DEFAULT 107374182400;

CREATE TABLE files (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    bytes           bigint NOT NULL,
    filename        text NOT NULL,
    purpose         text NOT NULL,
    status          text NOT NULL,
    status_details  text,
    expires_at      timestamptz,
    -- Where the bytes are. Null for a file that was imported without them.
    storage_key     text UNIQUE,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX files_by_time ON files (tenant_id, created_at, position);
CREATE INDEX files_by_purpose ON files (tenant_id, purpose, created_at, position);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

-- Bytes that may be there and belong to no file: an upload on its way, or a file that was deleted.
CREATE TABLE loose_files (
    storage_key     text PRIMARY KEY,
    tenant_id       text NOT NULL,
    -- What they count for: as much as the upload has reserved, or the size of the deleted file.
    bytes           bigint NOT NULL,
    -- When whoever comes by may delete the bytes: an upload moves this on as long as it lives.
    free_at         timestamptz NOT NULL,
    -- Nothing can become a file any more once the bytes may be going.
    doomed          boolean NOT NULL DEFAULT false
);
CREATE INDEX loose_files_by_time ON loose_files (free_at);

-- Bytes that a tenant's files and loose files have together. Apart from `tenants`, which every request reads.
CREATE TABLE file_usage (
    tenant_id       text PRIMARY KEY,
    bytes           bigint NOT NULL
);
