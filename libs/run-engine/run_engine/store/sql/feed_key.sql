-- name: feed_key^
-- The secret that places of the event feed are sealed with.
SELECT key FROM feed_key;
