-- name: create_user^
-- Makes a user.
INSERT INTO users (tenant_id, id, created_at, name, metadata)
VALUES (:tenant_id, :id, clock_timestamp(), :name, :metadata)
RETURNING *;

-- name: ensure_user!
-- Makes a user under a given id unless it is there.
INSERT INTO users (tenant_id, id, created_at, name, metadata)
VALUES (:tenant_id, :id, clock_timestamp(), :name, :metadata)
ON CONFLICT (tenant_id, id) DO NOTHING;

-- name: get_user^
-- One user.
SELECT * FROM users WHERE tenant_id = :tenant_id AND id = :id;

-- name: user_for_change^
-- One user, held until its change is written.
SELECT * FROM users WHERE tenant_id = :tenant_id AND id = :id FOR NO KEY UPDATE;

-- name: modify_user^
-- Changes what a client may change of a user.
UPDATE users SET name = :name, metadata = :metadata WHERE tenant_id = :tenant_id AND id = :id RETURNING *;

-- name: delete_user^
-- Deletes a user, who then takes part in no thread any more; what they said stays.
DELETE FROM users WHERE tenant_id = :tenant_id AND id = :id RETURNING id;

-- name: list_users
-- Users between two places of the list, nearest to its chosen end first.
WITH page AS (
    (SELECT * FROM users
     WHERE :ascending::boolean AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at, position LIMIT :limit)
    UNION ALL
    (SELECT * FROM users
     WHERE NOT :ascending::boolean AND tenant_id = :tenant_id
       AND (created_at, position) > (:low_time, :low_position) AND (created_at, position) < (:high_time, :high_position)
     ORDER BY created_at DESC, position DESC LIMIT :limit)
)
SELECT * FROM page ORDER BY created_at, position;

-- name: place_of_user^
-- Where a user stands in the list.
SELECT created_at, position FROM users WHERE tenant_id = :tenant_id AND id = :id;

-- name: unknown_users
-- Those of these ids that no user has, in their order.
SELECT given.id FROM unnest(:ids::text[]) WITH ORDINALITY AS given (id, place)
WHERE NOT EXISTS (SELECT FROM users u WHERE u.tenant_id = :tenant_id AND u.id = given.id)
ORDER BY given.place;

-- name: threads_of_user
-- The threads that a user takes part in, the newest last.
SELECT t.id FROM thread_participants p JOIN threads t ON t.tenant_id = p.tenant_id AND t.id = p.thread_id
WHERE p.tenant_id = :tenant_id AND p.user_id = :user_id
ORDER BY t.created_at, t.position;

-- name: participants_of_thread
-- The users who take part in a thread, in the order of their coming.
SELECT u.* FROM thread_participants p JOIN users u ON u.tenant_id = p.tenant_id AND u.id = p.user_id
WHERE p.tenant_id = :tenant_id AND p.thread_id = :thread_id
ORDER BY p.position;

-- name: add_participant^
-- Lets a user take part in a thread; again changes nothing. Both are held until the commit, so that neither is deleted
-- meanwhile. Tells what there is.
WITH thread AS MATERIALIZED (
    SELECT id FROM threads WHERE tenant_id = :tenant_id AND id = :thread_id FOR KEY SHARE
), member AS MATERIALIZED (
    SELECT id FROM users WHERE tenant_id = :tenant_id AND id = :user_id FOR KEY SHARE
), added AS (
    INSERT INTO thread_participants (tenant_id, thread_id, user_id)
    SELECT :tenant_id, thread.id, member.id FROM thread, member
    ON CONFLICT (tenant_id, thread_id, user_id) DO NOTHING
)
SELECT EXISTS (SELECT FROM thread) AS thread_exists, EXISTS (SELECT FROM member) AS user_exists;

-- name: remove_participant^
-- A user takes part in a thread no longer; again changes nothing. Tells what there is.
WITH removed AS (
    DELETE FROM thread_participants WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND user_id = :user_id
)
SELECT EXISTS (SELECT FROM threads WHERE tenant_id = :tenant_id AND id = :thread_id) AS thread_exists,
       EXISTS (SELECT FROM users WHERE tenant_id = :tenant_id AND id = :user_id) AS user_exists;

-- name: assistants_of_user
-- The assistants that a user has, in the order of their coming.
SELECT a.* FROM user_assistants h JOIN assistants a ON a.tenant_id = h.tenant_id AND a.id = h.assistant_id
WHERE h.tenant_id = :tenant_id AND h.user_id = :user_id
ORDER BY h.position;

-- name: attach_assistant^
-- Gives a user an assistant; again changes nothing. Both are held until the commit. Tells what there is.
WITH owner AS MATERIALIZED (
    SELECT id FROM users WHERE tenant_id = :tenant_id AND id = :user_id FOR KEY SHARE
), assistant AS MATERIALIZED (
    SELECT id FROM assistants WHERE tenant_id = :tenant_id AND id = :assistant_id FOR KEY SHARE
), added AS (
    INSERT INTO user_assistants (tenant_id, user_id, assistant_id)
    SELECT :tenant_id, owner.id, assistant.id FROM owner, assistant
    ON CONFLICT (tenant_id, user_id, assistant_id) DO NOTHING
)
SELECT EXISTS (SELECT FROM owner) AS user_exists, EXISTS (SELECT FROM assistant) AS assistant_exists;

-- name: detach_assistant^
-- A user has an assistant no longer; again changes nothing. Tells what there is.
WITH removed AS (
    DELETE FROM user_assistants WHERE tenant_id = :tenant_id AND user_id = :user_id AND assistant_id = :assistant_id
)
SELECT EXISTS (SELECT FROM users WHERE tenant_id = :tenant_id AND id = :user_id) AS user_exists,
       EXISTS (SELECT FROM assistants WHERE tenant_id = :tenant_id AND id = :assistant_id) AS assistant_exists;
