-- name: lock_imports^
-- One import of a tenant at a time: two with the same new ids in another order would wait for each other.
SELECT pg_advisory_xact_lock(hashtext('threadworks.import'), hashtext(:tenant_id));

-- name: lock_imported_runs
-- Locks the runs that an import may overwrite and that others may still move. Runs that have ended are left alone: only
-- imports and deletions touch them, and both hold their thread.
SELECT id FROM runs
WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]) AND NOT driven
  AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling')
ORDER BY id FOR NO KEY UPDATE;

-- name: lock_imported_threads
-- Locks the threads that an import is about, and tells which run locks each.
SELECT id, active_run FROM threads WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[])
ORDER BY id FOR NO KEY UPDATE;

-- name: imported_runs_stored
-- What is stored of these runs.
SELECT id, thread_id, assistant_id, created_at, driven, status = 'requires_action' AS waits FROM runs
WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]);

-- name: imported_messages_stored
-- Where these messages are.
SELECT id, thread_id FROM messages WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]);

-- name: imported_steps_stored
-- Where these steps are.
SELECT id, run_id FROM run_steps WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]);

-- name: imported_files_stored
-- Those of these files whose bytes are here.
SELECT id FROM files WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]) AND storage_key IS NOT NULL;

-- name: imported_calls_stored
-- The function calls of these runs.
SELECT c.run_id, c.step_id, c.id, c.name, c.arguments, c.answered_at IS NULL AS is_open, s.stand_in AS stands_in
FROM tool_calls c JOIN run_steps s ON s.tenant_id = c.tenant_id AND s.id = c.step_id
WHERE c.tenant_id = :tenant_id AND c.run_id = ANY(:ids::text[])
ORDER BY c.run_id, s.created_at, s.position, c.index;

-- name: import_assistants!
-- Stores assistants as they came.
INSERT INTO assistants AS stored (tenant_id, id, created_at, name, description, model, instructions, tools,
                                  tool_resources, metadata, temperature, top_p, response_format, reasoning_effort)
SELECT :tenant_id, x.id, x.created_at, x.name, x.description, x.model, x.instructions, x.tools, x.tool_resources,
       x.metadata, x.temperature, x.top_p, x.response_format, x.reasoning_effort
FROM json_to_recordset(:objects::json) AS x (
    place integer, id text, created_at timestamptz, name text, description text, model text, instructions text,
    tools json, tool_resources json, metadata jsonb, temperature double precision, top_p double precision,
    response_format json, reasoning_effort text)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    created_at = excluded.created_at, name = excluded.name, description = excluded.description,
    model = excluded.model, instructions = excluded.instructions, tools = excluded.tools,
    tool_resources = excluded.tool_resources, metadata = excluded.metadata, temperature = excluded.temperature,
    top_p = excluded.top_p, response_format = excluded.response_format,
    reasoning_effort = excluded.reasoning_effort;

-- name: import_files!
-- Stores what is known of files, without bytes.
INSERT INTO files AS stored (tenant_id, id, created_at, bytes, filename, purpose, status, status_details, expires_at)
SELECT :tenant_id, x.id, x.created_at, x.bytes, x.filename, x.purpose, x.status, x.status_details, x.expires_at
FROM jsonb_to_recordset(:objects::jsonb) AS x (
    place integer, id text, created_at timestamptz, bytes bigint, filename text, purpose text, status text,
    status_details text, expires_at timestamptz)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    created_at = excluded.created_at, bytes = excluded.bytes, filename = excluded.filename,
    purpose = excluded.purpose, status = excluded.status, status_details = excluded.status_details,
    expires_at = excluded.expires_at;

-- name: lock_imported_users
-- Holds those of these users who are there until the commit.
SELECT id FROM users WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]) ORDER BY id FOR KEY SHARE;

-- name: lock_imported_assistants
-- Holds those of these assistants that are there until the commit.
SELECT id FROM assistants WHERE tenant_id = :tenant_id AND id = ANY(:ids::text[]) ORDER BY id FOR KEY SHARE;

-- name: import_users!
-- Stores users as they came.
INSERT INTO users (tenant_id, id, created_at, name, metadata)
SELECT :tenant_id, x.id, x.created_at, x.name, x.metadata
FROM jsonb_to_recordset(:objects::jsonb) AS x (
    place integer, id text, created_at timestamptz, name text, metadata jsonb)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    created_at = excluded.created_at, name = excluded.name, metadata = excluded.metadata;

-- name: clear_imported_user_assistants!
-- Forgets the assistants of users that an import is about to tell anew.
DELETE FROM user_assistants WHERE tenant_id = :tenant_id AND user_id = ANY(:ids::text[]);

-- name: import_user_assistants!
-- Stores which assistants imported users have, in their order.
INSERT INTO user_assistants (tenant_id, user_id, assistant_id)
SELECT :tenant_id, x.user_id, x.assistant_id
FROM unnest(:owners::text[], :tied::text[]) WITH ORDINALITY AS x (user_id, assistant_id, place)
ORDER BY x.place;

-- name: import_tools!
-- Stores tools as they came.
INSERT INTO tools (tenant_id, id, created_at, name, function)
SELECT :tenant_id, x.id, x.created_at, x.name, x.function
FROM json_to_recordset(:objects::json) AS x (
    place integer, id text, created_at timestamptz, name text, function json)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    created_at = excluded.created_at, name = excluded.name, function = excluded.function;

-- name: import_threads!
-- Stores threads as they came. A lock stays: it belongs to a run.
INSERT INTO threads AS stored (tenant_id, id, created_at, metadata, tool_resources, title, assistant_id)
SELECT :tenant_id, x.id, x.created_at, x.metadata, x.tool_resources, x.title, x.assistant_id
FROM json_to_recordset(:objects::json) AS x (
    place integer, id text, created_at timestamptz, metadata jsonb, tool_resources json, title text, assistant_id text)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    created_at = excluded.created_at, metadata = excluded.metadata, tool_resources = excluded.tool_resources,
    title = excluded.title, assistant_id = excluded.assistant_id;

-- name: clear_imported_participants!
-- Forgets who takes part in threads that an import is about to tell anew.
DELETE FROM thread_participants WHERE tenant_id = :tenant_id AND thread_id = ANY(:ids::text[]);

-- name: import_participants!
-- Stores who takes part in imported threads, in their order.
INSERT INTO thread_participants (tenant_id, thread_id, user_id)
SELECT :tenant_id, x.thread_id, x.user_id
FROM unnest(:owners::text[], :tied::text[]) WITH ORDINALITY AS x (thread_id, user_id, place)
ORDER BY x.place;

-- name: import_messages!
-- Stores messages as they came.
INSERT INTO messages AS stored (tenant_id, id, thread_id, created_at, status, incomplete_details, completed_at,
                                incomplete_at, role, content, assistant_id, run_id, attachments, metadata, sender_id,
                                tool_calls, tool_call_id)
SELECT :tenant_id, x.id, x.thread_id, x.created_at, x.status, x.incomplete_details, x.completed_at, x.incomplete_at,
       x.role, x.content, x.assistant_id, x.run_id, x.attachments, x.metadata, x.sender_id, x.tool_calls, x.tool_call_id
FROM jsonb_to_recordset(:objects::jsonb) AS x (
    place integer, id text, thread_id text, created_at timestamptz, status text, incomplete_details jsonb,
    completed_at timestamptz, incomplete_at timestamptz, role text, content jsonb, assistant_id text, run_id text,
    attachments jsonb, metadata jsonb, sender_id text, tool_calls jsonb, tool_call_id text)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    created_at = excluded.created_at, status = excluded.status, incomplete_details = excluded.incomplete_details,
    completed_at = excluded.completed_at, incomplete_at = excluded.incomplete_at, role = excluded.role,
    content = excluded.content, assistant_id = excluded.assistant_id, run_id = excluded.run_id,
    attachments = excluded.attachments, metadata = excluded.metadata, sender_id = excluded.sender_id,
    tool_calls = excluded.tool_calls, tool_call_id = excluded.tool_call_id;

-- name: end_imported_runs!
-- Ends the stored runs that have ended where they come from, before others become the active run of their thread.
UPDATE runs r SET status = given.status
FROM unnest(:ids::text[], :statuses::text[]) AS given (id, status)
WHERE r.tenant_id = :tenant_id AND r.id = given.id AND NOT r.driven;

-- name: import_runs!
-- Stores runs as they came, not driven. Their attempt is 1: whoever claims one later finds the steps it has taken.
INSERT INTO runs AS stored (tenant_id, id, thread_id, assistant_id, created_at, status, attempt, seq, driven,
                            open_client_calls, expires_at, started_at, cancelled_at, failed_at, completed_at,
                            last_error, incomplete_details, model, instructions, tools, tool_resources, metadata,
                            prompt_tokens, completion_tokens, usage_details, usage_unknown, temperature, top_p,
                            max_prompt_tokens, max_completion_tokens, truncation_strategy, tool_choice,
                            parallel_tool_calls, response_format, reasoning_effort)
SELECT :tenant_id, x.id, x.thread_id, x.assistant_id, x.created_at, x.status, 1, 0, false,
       x.open_client_calls, x.expires_at, x.started_at, x.cancelled_at, x.failed_at, x.completed_at, x.last_error,
       x.incomplete_details, x.model, x.instructions, x.tools, x.tool_resources, x.metadata,
       coalesce(x.prompt_tokens, 0), coalesce(x.completion_tokens, 0), x.usage_details, x.usage_unknown,
       x.temperature, x.top_p, x.max_prompt_tokens, x.max_completion_tokens, x.truncation_strategy, x.tool_choice,
       x.parallel_tool_calls, x.response_format, x.reasoning_effort
FROM json_to_recordset(:objects::json) AS x (
    place integer, id text, thread_id text, assistant_id text, created_at timestamptz, status text,
    open_client_calls integer, expires_at timestamptz, started_at timestamptz, cancelled_at timestamptz,
    failed_at timestamptz, completed_at timestamptz, last_error jsonb, incomplete_details jsonb, model text,
    instructions text, tools json, tool_resources json, metadata jsonb, prompt_tokens bigint,
    completion_tokens bigint, usage_details jsonb, usage_unknown boolean, temperature double precision, top_p double precision,
    max_prompt_tokens integer, max_completion_tokens integer, truncation_strategy jsonb, tool_choice jsonb,
    parallel_tool_calls boolean, response_format json, reasoning_effort text)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    assistant_id = excluded.assistant_id, created_at = excluded.created_at, status = excluded.status,
    open_client_calls = excluded.open_client_calls, expires_at = excluded.expires_at,
    started_at = excluded.started_at, cancelled_at = excluded.cancelled_at, failed_at = excluded.failed_at,
    completed_at = excluded.completed_at, last_error = excluded.last_error,
    incomplete_details = excluded.incomplete_details, model = excluded.model, instructions = excluded.instructions,
    tools = excluded.tools, tool_resources = excluded.tool_resources, metadata = excluded.metadata,
    prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
    usage_details = excluded.usage_details, usage_unknown = excluded.usage_unknown,
    temperature = excluded.temperature, top_p = excluded.top_p, max_prompt_tokens = excluded.max_prompt_tokens,
    max_completion_tokens = excluded.max_completion_tokens, truncation_strategy = excluded.truncation_strategy,
    tool_choice = excluded.tool_choice, parallel_tool_calls = excluded.parallel_tool_calls,
    response_format = excluded.response_format, reasoning_effort = excluded.reasoning_effort
WHERE NOT stored.driven;

-- name: import_locks!
-- Gives threads the locks of imported runs, and takes away those of runs that have ended where they come from.
UPDATE threads t SET active_run = given.run_id
FROM unnest(:thread_ids::text[], :run_ids::text[]) AS given (thread_id, run_id)
WHERE t.tenant_id = :tenant_id AND t.id = given.thread_id;

-- name: clear_imported_calls!
-- Forgets the calls that are about to be written anew: those of the imported steps, and steps that only stood in.
WITH calls AS (
    DELETE FROM tool_calls c
    WHERE c.tenant_id = :tenant_id AND c.step_id = ANY(:step_ids::text[])
)
DELETE FROM run_steps s
WHERE s.tenant_id = :tenant_id AND s.run_id = ANY(:run_ids::text[]) AND s.stand_in
  AND s.id <> ALL(:step_ids::text[]);

-- name: import_steps!
-- Stores steps as they came, without their function calls.
INSERT INTO run_steps AS stored (tenant_id, id, run_id, thread_id, assistant_id, created_at, attempt, type, status,
                                 message_id, last_error, completed_at, failed_at, cancelled_at, expired_at, expires_at,
                                 metadata, prompt_tokens, completion_tokens, usage_details, other_calls, stand_in)
SELECT :tenant_id, x.id, x.run_id, x.thread_id, x.assistant_id, x.created_at, 1, x.type, x.status, x.message_id,
       x.last_error, x.completed_at, x.failed_at, x.cancelled_at, x.expired_at, x.expires_at, x.metadata,
       x.prompt_tokens, x.completion_tokens, x.usage_details, x.other_calls, x.stand_in
FROM jsonb_to_recordset(:objects::jsonb) AS x (
    place integer, id text, run_id text, thread_id text, assistant_id text, created_at timestamptz, type text,
    status text, message_id text, last_error jsonb, completed_at timestamptz, failed_at timestamptz,
    cancelled_at timestamptz, expired_at timestamptz, expires_at timestamptz, metadata jsonb, prompt_tokens bigint,
    completion_tokens bigint, usage_details jsonb, other_calls jsonb, stand_in boolean)
ORDER BY x.place
ON CONFLICT (tenant_id, id) DO UPDATE SET
    assistant_id = excluded.assistant_id, created_at = excluded.created_at, type = excluded.type,
    status = excluded.status, message_id = excluded.message_id, last_error = excluded.last_error,
    completed_at = excluded.completed_at, failed_at = excluded.failed_at, cancelled_at = excluded.cancelled_at,
    expired_at = excluded.expired_at, expires_at = excluded.expires_at, metadata = excluded.metadata,
    prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
    usage_details = excluded.usage_details, other_calls = excluded.other_calls, stand_in = excluded.stand_in;

-- name: import_calls!
-- Stores the function calls of imported steps, all of them answered.
INSERT INTO tool_calls (tenant_id, id, step_id, run_id, thread_id, index, name, arguments, created_at, output,
                        answered_at)
SELECT :tenant_id, x.id, x.step_id, x.run_id, x.thread_id, x.index, x.name, x.arguments, x.created_at, x.output,
       x.created_at
FROM jsonb_to_recordset(:objects::jsonb) AS x (
    id text, step_id text, run_id text, thread_id text, index integer, name text, arguments text, created_at timestamptz,
    output text);

-- name: open_imported_calls!
-- Opens the calls that clients have to answer, and closes all others of these runs.
UPDATE tool_calls c
SET answered_at = CASE WHEN waiting.call_id IS NULL THEN coalesce(c.answered_at, c.created_at) END
FROM tool_calls same
LEFT JOIN unnest(:waiting_runs::text[], :waiting_calls::text[]) AS waiting (run_id, call_id)
       ON waiting.run_id = same.run_id AND waiting.call_id = same.id
WHERE same.tenant_id = :tenant_id AND same.run_id = ANY(:run_ids::text[])
  AND (same.answered_at IS NULL) <> (waiting.call_id IS NOT NULL)
  AND c.tenant_id = same.tenant_id AND c.run_id = same.run_id AND c.id = same.id;

-- name: count_imported_tokens!
-- Unfinished runs show no usage; if they go on here, it is added to what their steps have taken so far.
UPDATE runs r SET prompt_tokens = taken.prompt, completion_tokens = taken.completion
FROM (
    SELECT run_id, coalesce(sum(prompt_tokens), 0) AS prompt, coalesce(sum(completion_tokens), 0) AS completion
    FROM run_steps WHERE tenant_id = :tenant_id AND run_id = ANY(:run_ids::text[]) GROUP BY run_id
) AS taken
WHERE r.tenant_id = :tenant_id AND r.id = taken.run_id AND NOT r.driven
  AND r.status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling');

-- name: count_imported_messages!
-- Puts right how many messages the threads of an import have; the caller has locked them.
UPDATE threads t SET message_count =
    (SELECT count(*) FROM messages m WHERE m.tenant_id = t.tenant_id AND m.thread_id = t.id)
    + (t.active_run IS NOT NULL)::integer
WHERE t.tenant_id = :tenant_id AND t.id = ANY(:ids::text[]);
