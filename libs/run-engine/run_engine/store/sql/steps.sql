-- name: get_step^
-- One step with its calls.
SELECT s.*, (SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'arguments', c.arguments,
                                                 'service', c.service, 'output', c.output) ORDER BY c.index)
             FROM tool_calls c WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id) AS calls
FROM run_steps s
WHERE s.tenant_id = :tenant_id AND s.thread_id = :thread_id AND s.run_id = :run_id AND s.id = :id;

-- name: list_steps
-- Steps of a run between two places of the list, nearest to its chosen end first, as long as their calls are not too many
-- bytes.
WITH page AS MATERIALIZED (
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at, position) AS upto FROM (
        SELECT s.*, 1 + coalesce((SELECT sum(octet_length(c.arguments) + coalesce(octet_length(c.output), 0))
                                  FROM tool_calls c WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id), 0) AS bytes
        FROM run_steps s) AS weighed
     WHERE :ascending::boolean AND tenant_id = :tenant_id AND run_id = :run_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at DESC, position DESC) FROM (
        SELECT s.*, 1 + coalesce((SELECT sum(octet_length(c.arguments) + coalesce(octet_length(c.output), 0))
                                  FROM tool_calls c WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id), 0) AS bytes
        FROM run_steps s) AS weighed
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id AND run_id = :run_id AND thread_id = :thread_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT s.*, (SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'arguments', c.arguments,
                                                 'service', c.service, 'output', c.output) ORDER BY c.index)
             FROM tool_calls c WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id) AS calls,
       (SELECT count(*) FROM page)::integer AS candidates
FROM page JOIN run_steps s ON s.tenant_id = :tenant_id AND s.id = page.id
WHERE :most_bytes::bigint IS NULL OR page.upto <= :most_bytes OR page.upto = page.bytes
ORDER BY s.created_at, s.position;

-- name: place_of_step^
-- Where a step stands in the list of its run.
SELECT created_at, position FROM run_steps
WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND run_id = :run_id AND id = :id;
