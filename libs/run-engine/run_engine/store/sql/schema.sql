-- name: is_migrated^
-- Whether any migration ever ran here.
SELECT to_regclass('schema_migrations') IS NOT NULL AS migrated;

-- name: schema_state^
-- The number of the schema, and the oldest code that can live with it.
SELECT max(number) AS number, max(oldest_code) AS oldest_code FROM schema_migrations;

-- name: ping^
-- An answer.
SELECT 1 AS answer;
