-- name: create_assistant^
-- Makes an assistant.
INSERT INTO assistants (tenant_id, id, created_at, name, description, model, instructions, tools, tool_resources,
                        metadata, temperature, top_p, response_format, reasoning_effort)
VALUES (:tenant_id, :id, clock_timestamp(), :name, :description, :model, :instructions, :tools, :tool_resources,
        :metadata, :temperature, :top_p, :response_format, :reasoning_effort)
RETURNING *;

-- name: ensure_assistant!
-- Makes an assistant under a given id unless it is there.
INSERT INTO assistants (tenant_id, id, created_at, name, description, model, instructions, tools, tool_resources,
                        metadata, temperature, top_p, response_format, reasoning_effort)
VALUES (:tenant_id, :id, clock_timestamp(), :name, :description, :model, :instructions, :tools, :tool_resources,
        :metadata, :temperature, :top_p, :response_format, :reasoning_effort)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: get_assistant^
-- One assistant.
SELECT * FROM assistants WHERE tenant_id = :tenant_id AND id = :id;

-- name: lock_assistant^
-- One assistant, held until its change is written.
SELECT * FROM assistants WHERE tenant_id = :tenant_id AND id = :id FOR NO KEY UPDATE;

-- name: modify_assistant^
-- Writes all fields of an assistant anew.
UPDATE assistants SET
    name = :name, description = :description, model = :model, instructions = :instructions, tools = :tools,
    tool_resources = :tool_resources, metadata = :metadata, temperature = :temperature, top_p = :top_p,
    response_format = :response_format, reasoning_effort = :reasoning_effort
WHERE tenant_id = :tenant_id AND id = :id
RETURNING *;

-- name: set_tool_resources!
-- Writes the tool resources of an assistant that is held.
UPDATE assistants SET tool_resources = :tool_resources WHERE tenant_id = :tenant_id AND id = :id;

-- name: times_of_files
-- When files were made; files that are gone are left out.
SELECT id, created_at FROM files WHERE tenant_id = :tenant_id AND id = ANY (:ids::text[]);

-- name: delete_assistant^
-- Deletes an assistant; its runs keep the snapshot they took.
DELETE FROM assistants WHERE tenant_id = :tenant_id AND id = :id RETURNING id;

-- name: list_assistants
-- Assistants between two places of the list, nearest to its chosen end first, as long as they are not too many bytes.
WITH page AS MATERIALIZED (
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at, position) AS upto FROM assistants
     WHERE :ascending::boolean AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at DESC, position DESC) FROM assistants
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT a.*, (SELECT count(*) FROM page)::integer AS candidates
FROM page JOIN assistants a ON a.tenant_id = :tenant_id AND a.id = page.id
WHERE :most_bytes::bigint IS NULL OR page.upto <= :most_bytes OR page.upto = page.bytes
ORDER BY a.created_at, a.position;

-- name: place_of_assistant^
-- Where an assistant stands in the list.
SELECT created_at, position FROM assistants WHERE tenant_id = :tenant_id AND id = :id;
