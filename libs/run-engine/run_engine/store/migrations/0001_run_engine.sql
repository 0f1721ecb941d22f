-- oldest code that can live with this schema: 1
--
-- The first schema of the run engine. Every row of a tenant names its tenant, and every key begins with it: ids may
-- be imported and repeat between tenants. Order is (created_at, position) everywhere: rows of one statement share
-- their time.

-- Owners of keys and of every row.
CREATE TABLE tenants (
    id              text PRIMARY KEY,
    name            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How long a run may live, from its creation.
    run_lifetime    interval NOT NULL DEFAULT interval '600 seconds',
    -- The tool services whose functions this tenant's runs may use as server tools.
    tool_services   text[] NOT NULL DEFAULT '{}'
);

-- API keys, by digest: the key itself is shown once, when it is made.
CREATE TABLE api_keys (
    id              text PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    -- SHA-256 of the key. Keys have 256 random bits, so a slow hash would protect nothing.
    digest          bytea NOT NULL UNIQUE,
    name            text NOT NULL,
    scopes          text[] NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at      timestamptz
);

-- One liveness row a process. It covers everything that the process holds: runs and outbox rows.
CREATE TABLE workers (
    id              text PRIMARY KEY,
    role            text NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    renewed_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE assistants (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    name            text,
    description     text,
    model           text NOT NULL,
    instructions    text,
    tools           jsonb NOT NULL,
    tool_resources  jsonb,
    metadata        jsonb NOT NULL,
    temperature     double precision,
    top_p           double precision,
    response_format jsonb,
    reasoning_effort text,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX assistants_by_time ON assistants (tenant_id, created_at, position);

CREATE TABLE threads (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    metadata        jsonb NOT NULL,
    tool_resources  jsonb,
    -- The lock: set where it is null, cleared by the move that ends the run.
    active_run      text,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);

CREATE TABLE messages (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    thread_id       text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    status          text NOT NULL,
    incomplete_details jsonb,
    completed_at    timestamptz,
    incomplete_at   timestamptz,
    role            text NOT NULL,
    content         jsonb NOT NULL,
    assistant_id    text,
    run_id          text,
    attachments     jsonb,
    metadata        jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, thread_id) REFERENCES threads ON DELETE CASCADE
);
CREATE INDEX messages_by_thread ON messages (tenant_id, thread_id, created_at, position);

CREATE TABLE runs (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    thread_id       text NOT NULL,
    assistant_id    text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    status          text NOT NULL,
    -- Number of claims so far, also after tool rounds. Together with worker it is the fence.
    attempt         integer NOT NULL DEFAULT 0,
    -- Leases lost since the last completed step.
    lost_workers    integer NOT NULL DEFAULT 0,
    worker          text,
    -- Number of the last event.
    seq             integer NOT NULL,
    open_client_calls integer NOT NULL DEFAULT 0,
    open_server_calls integer NOT NULL DEFAULT 0,
    -- False for imported runs: neither claimed nor swept.
    driven          boolean NOT NULL DEFAULT true,
    expires_at      timestamptz,
    started_at      timestamptz,
    cancelled_at    timestamptz,
    failed_at       timestamptz,
    completed_at    timestamptz,
    last_error      jsonb,
    incomplete_details jsonb,
    model           text NOT NULL,
    instructions    text,
    tools           jsonb NOT NULL,
    tool_resources  jsonb,
    metadata        jsonb NOT NULL,
    -- Sum over the finished steps.
    prompt_tokens   bigint NOT NULL DEFAULT 0,
    completion_tokens bigint NOT NULL DEFAULT 0,
    temperature     double precision,
    top_p           double precision,
    max_prompt_tokens integer,
    max_completion_tokens integer,
    truncation_strategy jsonb NOT NULL,
    tool_choice     jsonb NOT NULL,
    parallel_tool_calls boolean NOT NULL,
    response_format jsonb NOT NULL,
    reasoning_effort text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, thread_id) REFERENCES threads ON DELETE CASCADE
) WITH (fillfactor = 60);
CREATE INDEX runs_by_thread ON runs (tenant_id, thread_id, created_at, position);
-- The backstop of threads.active_run: at most one unfinished run a thread.
CREATE UNIQUE INDEX runs_one_active ON runs (tenant_id, thread_id)
    WHERE status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling');
CREATE INDEX runs_queued ON runs (created_at, position) WHERE status = 'queued' AND driven;
CREATE INDEX runs_by_worker ON runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX runs_by_expiry ON runs (expires_at)
    WHERE driven AND status IN ('queued', 'in_progress', 'requires_action', 'awaiting_tools', 'cancelling');

CREATE TABLE run_steps (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    run_id          text NOT NULL,
    thread_id       text NOT NULL,
    assistant_id    text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    created_at      timestamptz NOT NULL,
    attempt         integer NOT NULL,
    type            text NOT NULL,
    status          text NOT NULL,
    message_id      text,
    last_error      jsonb,
    completed_at    timestamptz,
    failed_at       timestamptz,
    cancelled_at    timestamptz,
    expired_at      timestamptz,
    metadata        jsonb NOT NULL DEFAULT '{}',
    prompt_tokens   bigint,
    completion_tokens bigint,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs ON DELETE CASCADE
);
CREATE INDEX run_steps_by_run ON run_steps (tenant_id, run_id, created_at, position);

CREATE TABLE tool_calls (
    tenant_id       text NOT NULL,
    id              text NOT NULL,
    step_id         text NOT NULL,
    run_id          text NOT NULL,
    -- Place among the calls of its step, from 0.
    index           integer NOT NULL,
    name            text NOT NULL,
    arguments       text NOT NULL,
    -- Null: the client answers.
    service         text,
    created_at      timestamptz NOT NULL,
    output          text,
    answered_at     timestamptz,
    -- When a service's call counts as failed; null for the client's.
    deadline        timestamptz,
    -- When the call is published once more if it is still unanswered; null once that is done.
    repeat_at       timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, step_id) REFERENCES run_steps ON DELETE CASCADE
);
CREATE INDEX tool_calls_by_step ON tool_calls (tenant_id, step_id, index);
CREATE INDEX tool_calls_by_run ON tool_calls (tenant_id, run_id);
CREATE INDEX tool_calls_by_deadline ON tool_calls (deadline) WHERE answered_at IS NULL AND service IS NOT NULL;
CREATE INDEX tool_calls_by_repeat ON tool_calls (repeat_at) WHERE answered_at IS NULL AND repeat_at IS NOT NULL;

-- Everything that happened to a run, in order: what a stream is resumed from.
CREATE TABLE run_events (
    tenant_id       text NOT NULL,
    run_id          text NOT NULL,
    seq             integer NOT NULL,
    type            text NOT NULL,
    subject         text NOT NULL,
    data            jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq)
);
CREATE INDEX run_events_by_time ON run_events (created_at);

-- Events that are committed and not published yet. The id is the order of publication within a thread.
CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The event's id on the wire, the same however often it is published.
    event_id        uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The process whose relay publishes it.
    owner           text NOT NULL,
    tenant_id       text NOT NULL,
    thread_id       text NOT NULL,
    run_id          text,
    seq             integer,
    attempt         integer,
    type            text NOT NULL,
    subject         text NOT NULL,
    data            jsonb NOT NULL,
    created_at      timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000);
CREATE INDEX outbox_by_owner ON outbox (owner, id);
CREATE INDEX outbox_by_thread ON outbox (tenant_id, thread_id, id);

-- Events that can never be published (too large, invalid): kept for a person to look at.
CREATE TABLE outbox_rejected (
    id              bigint PRIMARY KEY,
    event_id        uuid NOT NULL,
    tenant_id       text NOT NULL,
    thread_id       text NOT NULL,
    run_id          text,
    seq             integer,
    type            text NOT NULL,
    subject         text NOT NULL,
    data            jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    rejected_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason          text NOT NULL
);

-- A run as its events show it: every field that changes, as of now. required_action is added by the move that parks.
CREATE FUNCTION run_snapshot(r runs) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', r.id, 'thread_id', r.thread_id, 'assistant_id', r.assistant_id, 'status', r.status,
        'attempt', r.attempt, 'model', r.model, 'created_at', r.created_at, 'expires_at', r.expires_at,
        'started_at', r.started_at, 'cancelled_at', r.cancelled_at, 'failed_at', r.failed_at,
        'completed_at', r.completed_at, 'metadata', r.metadata, 'last_error', r.last_error,
        'incomplete_details', r.incomplete_details, 'required_action', NULL,
        'usage', CASE WHEN r.status IN ('completed', 'failed', 'incomplete', 'cancelled', 'expired')
            THEN jsonb_build_object('prompt_tokens', r.prompt_tokens, 'completion_tokens', r.completion_tokens,
                                    'total_tokens', r.prompt_tokens + r.completion_tokens) END)
$$;

-- A step as its events show it; `details` is its step_details.
CREATE FUNCTION step_snapshot(s run_steps, details jsonb) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', s.id, 'run_id', s.run_id, 'thread_id', s.thread_id, 'assistant_id', s.assistant_id, 'type', s.type,
        'status', s.status, 'step_details', details, 'created_at', s.created_at, 'completed_at', s.completed_at,
        'failed_at', s.failed_at, 'cancelled_at', s.cancelled_at, 'expired_at', s.expired_at,
        'last_error', s.last_error,
        'usage', CASE WHEN s.prompt_tokens IS NOT NULL
            THEN jsonb_build_object('prompt_tokens', s.prompt_tokens, 'completion_tokens', s.completion_tokens,
                                    'total_tokens', s.prompt_tokens + s.completion_tokens) END)
$$;

-- A message as its events show it.
CREATE FUNCTION message_snapshot(m messages) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', m.id, 'thread_id', m.thread_id, 'role', m.role, 'status', m.status, 'content', m.content,
        'created_at', m.created_at, 'completed_at', m.completed_at, 'incomplete_at', m.incomplete_at,
        'incomplete_details', m.incomplete_details, 'assistant_id', m.assistant_id, 'run_id', m.run_id,
        'attachments', m.attachments, 'metadata', m.metadata)
$$;

-- The calls of a step as step_details shows them.
CREATE FUNCTION tool_calls_details(tenant text, step text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('type', 'tool_calls', 'tool_calls', coalesce(jsonb_agg(
        jsonb_build_object('id', c.id, 'type', 'function', 'function', jsonb_build_object(
            'name', c.name, 'arguments', c.arguments, 'output', c.output)) ORDER BY c.index), '[]'))
    FROM tool_calls c WHERE c.tenant_id = tenant AND c.step_id = step
$$;

-- The calls that a run waits for its client to answer; null where there is none.
CREATE FUNCTION open_client_calls(tenant text, run text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'arguments', c.arguments) ORDER BY c.index)
    FROM tool_calls c
    WHERE c.tenant_id = tenant AND c.run_id = run AND c.service IS NULL AND c.answered_at IS NULL
$$;

-- Writes one event of a run, for streams to resume from and for the relay of `owner` to publish. Returns the outbox id.
CREATE FUNCTION emit_run_event(owner text, tenant text, thread text, run text, seq integer, attempt integer,
                               type text, subject text, data jsonb, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    published bigint;
BEGIN
    INSERT INTO run_events (tenant_id, run_id, seq, type, subject, data, created_at)
    VALUES (tenant, run, seq, type, subject, data, moment);
    INSERT INTO outbox (owner, tenant_id, thread_id, run_id, seq, attempt, type, subject, data, created_at)
    VALUES (owner, tenant, thread, run, seq, attempt, type, subject, data, moment)
    RETURNING id INTO published;
    RETURN published;
END
$$;

-- Writes an event that is no part of a run's own history (message.created, commands, tool calls). Returns the outbox id.
CREATE FUNCTION emit_event(owner text, tenant text, thread text, run text, attempt integer,
                           type text, subject text, data jsonb, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    published bigint;
BEGIN
    INSERT INTO outbox (owner, tenant_id, thread_id, run_id, attempt, type, subject, data, created_at)
    VALUES (owner, tenant, thread, run, attempt, type, subject, data, moment)
    RETURNING id INTO published;
    RETURN published;
END
$$;

-- Writes the completion of a tool_calls step. It is volatile so that it reads with a fresh snapshot: the caller may
-- have waited for the lock of the run, and its own snapshot then misses the outputs that others committed meanwhile.
CREATE FUNCTION emit_tools_completed(owner text, step text, seq integer, r runs, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    snapshot jsonb;
BEGIN
    SELECT step_snapshot(s, tool_calls_details(s.tenant_id, s.id)) INTO STRICT snapshot
    FROM run_steps s WHERE s.tenant_id = r.tenant_id AND s.id = step;
    RETURN emit_run_event(owner, r.tenant_id, r.thread_id, r.id, seq, r.attempt,
                          'threadworks.run-step.completed.v1', step, jsonb_build_object('step', snapshot), moment);
END
$$;
