-- name: figures^
-- What there is to do in the whole installation, and since when it waits: runs that have not ended by status, events
-- that are not published. Ages are 0 where nothing waits. Large numbers are counted up to the limit: whoever asks every
-- few seconds must not look through all of them.
WITH active AS MATERIALIZED (
    SELECT status FROM runs
    WHERE driven AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling')
    LIMIT :limit
), unpublished AS MATERIALIZED (
    SELECT FROM outbox LIMIT :limit
), oldest AS MATERIALIZED (
    SELECT (SELECT min(coalesce(queued_at, created_at)) FROM runs WHERE status = 'queued' AND driven) AS run,
           (SELECT created_at FROM outbox ORDER BY id LIMIT 1) AS event
), moment AS MATERIALIZED (
    -- After the others: what is older than the statement is not younger than nothing.
    SELECT clock_timestamp() AS now FROM oldest
)
SELECT (SELECT coalesce(jsonb_object_agg(status, number), '{}')
        FROM (SELECT status, count(*) AS number FROM active GROUP BY status) AS by_status) AS runs,
       coalesce(extract(epoch FROM moment.now - oldest.run), 0)::float AS queue_age,
       (SELECT count(*) FROM unpublished) AS outbox_depth,
       coalesce(extract(epoch FROM moment.now - oldest.event), 0)::float AS outbox_age,
       (SELECT count(*) FROM (SELECT FROM outbox_rejected LIMIT :limit) AS rejected) AS outbox_rejected
FROM moment, oldest;
