-- oldest code that can live with this schema: 7
--
-- Objects as clients wrote them, lists that stay small, threads that can be found and have a limit.

-- json keeps the order of keys: the schema of a function comes back as it was sent, and reaches the model so. Nothing
-- searches in these columns.
ALTER TABLE assistants
    ALTER COLUMN tools TYPE json, ALTER COLUMN tool_resources TYPE json, ALTER COLUMN response_format TYPE json;
ALTER TABLE threads
    ALTER COLUMN tool_resources TYPE json;
ALTER TABLE runs
    ALTER COLUMN tools TYPE json, ALTER COLUMN tool_resources TYPE json, ALTER COLUMN response_format TYPE json;

-- The bytes of what has no small limit of its own. A page of a list ends where they become too many, and to know that
-- it must not have to read them all.
ALTER TABLE assistants ADD COLUMN bytes integer GENERATED ALWAYS AS
    (octet_length(tools::text) + coalesce(octet_length(instructions), 0) + coalesce(octet_length(tool_resources::text), 0)
     + coalesce(octet_length(response_format::text), 0)) STORED;
ALTER TABLE messages ADD COLUMN bytes integer GENERATED ALWAYS AS
    (octet_length(content::text) + coalesce(octet_length(attachments::text), 0)) STORED;
ALTER TABLE runs ADD COLUMN bytes integer GENERATED ALWAYS AS
    (octet_length(tools::text) + coalesce(octet_length(instructions), 0) + coalesce(octet_length(tool_resources::text), 0)
     + octet_length(response_format::text)) STORED;

-- What the limit of a thread is checked against, by the statements that add messages: its messages, and one for each of
-- its runs, which may write one. So there are never more than it says; where it says too many, they are counted.
ALTER TABLE threads ADD COLUMN message_count integer NOT NULL DEFAULT 0;
UPDATE threads t SET message_count =
    (SELECT count(*) FROM messages m WHERE m.tenant_id = t.tenant_id AND m.thread_id = t.id)
    + (t.active_run IS NOT NULL)::integer;

-- For the search by metadata. Threads without any, most of them, cost nothing here.
CREATE INDEX threads_by_metadata ON threads USING gin (metadata jsonb_path_ops) WHERE metadata <> '{}';
