-- name: create_tool^
-- Makes a tool.
INSERT INTO tools (tenant_id, id, created_at, name, function)
VALUES (:tenant_id, :id, clock_timestamp(), :name, :function)
RETURNING *;

-- name: get_tool^
-- One tool.
SELECT * FROM tools WHERE tenant_id = :tenant_id AND id = :id;

-- name: tool_for_change^
-- One tool, held until its change is written.
SELECT * FROM tools WHERE tenant_id = :tenant_id AND id = :id FOR NO KEY UPDATE;

-- name: modify_tool^
-- Writes what a client may change of a tool.
UPDATE tools SET name = :name, function = :function WHERE tenant_id = :tenant_id AND id = :id RETURNING *;

-- name: delete_tool^
-- Deletes a tool; assistants keep their copies of it.
DELETE FROM tools WHERE tenant_id = :tenant_id AND id = :id RETURNING id;

-- name: list_tools
-- Tools between two places of the list, nearest to its chosen end first, as long as they are not too many bytes.
WITH page AS MATERIALIZED (
    (SELECT *, octet_length(function::text) AS bytes,
            sum(octet_length(function::text)) OVER (ORDER BY created_at, position) AS upto FROM tools
     WHERE :ascending::boolean AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT *, octet_length(function::text),
            sum(octet_length(function::text)) OVER (ORDER BY created_at DESC, position DESC) FROM tools
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT page.*, (SELECT count(*) FROM page)::integer AS candidates FROM page
WHERE :most_bytes::bigint IS NULL OR upto <= :most_bytes OR upto = bytes
ORDER BY created_at, position;

-- name: place_of_tool^
-- Where a tool stands in the list.
SELECT created_at, position FROM tools WHERE tenant_id = :tenant_id AND id = :id;

-- name: tools_of_assistant
-- The tools whose functions an assistant has, in its order. Where several tools have a function of that name, the one
-- that the assistant's is a copy of, else the newest.
SELECT found.* FROM assistants a
CROSS JOIN LATERAL json_array_elements(a.tools) WITH ORDINALITY AS own (tool, place)
CROSS JOIN LATERAL (
    SELECT t.* FROM tools t
    WHERE t.tenant_id = a.tenant_id AND t.function ->> 'name' = own.tool -> 'function' ->> 'name'
    ORDER BY t.function::jsonb = (own.tool -> 'function')::jsonb DESC, t.created_at DESC, t.position DESC LIMIT 1
) AS found
WHERE a.tenant_id = :tenant_id AND a.id = :assistant_id AND own.tool ->> 'type' = 'function'
ORDER BY own.place;

-- name: set_assistant_tools!
-- Writes the tools of an assistant that the caller holds.
UPDATE assistants SET tools = :tools WHERE tenant_id = :tenant_id AND id = :assistant_id;
