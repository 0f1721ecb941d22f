-- oldest code that can live with this schema: 8
--
-- People and what they said: users, who takes part in a thread, who sent a message; messages of tools; tools that are
-- kept under a name; other names of ids. Older code would show messages of tools where they have never been, and would
-- store calls that no conversation finds.

CREATE TABLE users (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    name            text,
    metadata        jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX users_by_time ON users (tenant_id, created_at, position);

-- Who takes part in a thread, in the order of their coming.
CREATE TABLE thread_participants (
    tenant_id       text NOT NULL,
    thread_id       text NOT NULL,
    user_id         text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (tenant_id, thread_id, user_id),
    FOREIGN KEY (tenant_id, thread_id) REFERENCES threads ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX thread_participants_by_user ON thread_participants (tenant_id, user_id);

-- The assistants that a user has, in the order of their coming.
CREATE TABLE user_assistants (
    tenant_id       text NOT NULL,
    user_id         text NOT NULL,
    assistant_id    text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (tenant_id, user_id, assistant_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, assistant_id) REFERENCES assistants ON DELETE CASCADE
);
CREATE INDEX user_assistants_by_assistant ON user_assistants (tenant_id, assistant_id);

-- Definitions of functions under a name, for assistants to be given copies of.
CREATE TABLE tools (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    name            text NOT NULL,
    -- The function as its owner wrote it, keys in order. It has a name: the model calls it by that.
    function        json NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX tools_by_time ON tools (tenant_id, created_at, position);
CREATE INDEX tools_by_function ON tools (tenant_id, (function ->> 'name'));

-- Ids that render no number (imported ones, and the demo's), by the number that stands for them where an id must be one.
CREATE TABLE id_aliases (
    tenant_id       text NOT NULL,
    kind            text NOT NULL,
    number          uuid NOT NULL,
    id              text NOT NULL,
    PRIMARY KEY (tenant_id, kind, number)
);

-- The assistant that answers where a request names none. No reference: runs too keep the name of an assistant that was
-- deleted, and a request that needs it is told that it is gone.
ALTER TABLE threads ADD COLUMN title text,
                    ADD COLUMN assistant_id text;

-- The user who sent the message. No reference: what was said stays when the user is deleted.
ALTER TABLE messages ADD COLUMN sender_id text,
                     -- The calls of an assistant's message that a client wrote, as chat completions have them.
                     ADD COLUMN tool_calls jsonb,
                     -- Of a tool's message: the call that it answers.
                     ADD COLUMN tool_call_id text;

-- Conversations have the answered calls among the messages: they are found by thread, and by id alone, and share the
-- numbers of messages, so that no two things in a thread have the same place.
ALTER TABLE tool_calls ADD COLUMN thread_id text,
                       ADD COLUMN position bigint NOT NULL DEFAULT nextval('messages_position_seq');
UPDATE tool_calls c SET thread_id = s.thread_id FROM run_steps s WHERE s.tenant_id = c.tenant_id AND s.id = c.step_id;
ALTER TABLE tool_calls ALTER COLUMN thread_id SET NOT NULL;
CREATE INDEX tool_calls_by_thread ON tool_calls (tenant_id, thread_id, answered_at, position)
    WHERE answered_at IS NOT NULL AND output IS NOT NULL;
CREATE INDEX tool_calls_by_id ON tool_calls (tenant_id, id);

-- A message as its events show it, now with its sender.
CREATE OR REPLACE FUNCTION message_snapshot(m messages) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', m.id, 'thread_id', m.thread_id, 'role', m.role, 'status', m.status, 'content', m.content,
        'created_at', m.created_at, 'completed_at', m.completed_at, 'incomplete_at', m.incomplete_at,
        'incomplete_details', m.incomplete_details, 'assistant_id', m.assistant_id, 'run_id', m.run_id,
        'attachments', m.attachments, 'metadata', m.metadata, 'sender_id', m.sender_id)
$$;

-- The output of a tool as the content of a message.
CREATE FUNCTION tool_output_content(output text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_array(jsonb_build_object('type', 'text', 'text',
                             jsonb_build_object('value', output, 'annotations', jsonb_build_array())))
$$;

-- What most requests do not name costs them nothing when it is asked for in functions, which are not called then; the
-- same as a part of a statement is set up whenever that runs.

-- Whether all of these are users.
CREATE FUNCTION are_users(tenant text, ids text[]) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM users u WHERE u.tenant_id = tenant AND u.id = ANY(ids)) = cardinality(ids);
END
$$;

-- Whether there is such an assistant.
CREATE FUNCTION is_assistant(tenant text, assistant text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM assistants a WHERE a.tenant_id = tenant AND a.id = assistant);
END
$$;

-- Holds users until the commit, so that none of them is deleted meanwhile; tells whether all of them were there.
CREATE FUNCTION hold_users(tenant text, ids text[]) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    held bigint;
BEGIN
    PERFORM FROM users u WHERE u.tenant_id = tenant AND u.id = ANY(ids) FOR KEY SHARE;
    GET DIAGNOSTICS held = ROW_COUNT;
    RETURN held = cardinality(ids);
END
$$;

-- Lets users who are held take part in a new thread, in their order.
CREATE FUNCTION join_thread(tenant text, thread text, ids text[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO thread_participants (tenant_id, thread_id, user_id)
    SELECT tenant, thread, p.id FROM unnest(ids) WITH ORDINALITY AS p (id, place) ORDER BY p.place;
END
$$;

-- Until its first statistics a table is taken for so small that any index of a tenant's rows is as good as its key: each
-- new message would look through all threads of the tenant. Only the lists, which name this condition, may use it now.
DROP INDEX threads_by_time;
CREATE INDEX threads_by_time ON threads (tenant_id, created_at, position) WHERE position > 0;
