-- oldest code that can live with this schema: 8
--
-- Users' own credentials for tool services: sealed by the gateway, opened by the service alone, and sent with its calls.

CREATE TABLE thread_credentials (
    tenant_id       text NOT NULL,
    thread_id       text NOT NULL,
    service         text NOT NULL,
    -- Id of the key and the sealed box, as tool-call.requested carries them. Nothing in here can open it.
    sealed          text NOT NULL CHECK (sealed ~ '^[0-9a-f]{16}:[A-Za-z0-9+/]+={0,2}$'),
    given_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, thread_id, service),
    FOREIGN KEY (tenant_id, thread_id) REFERENCES threads ON DELETE CASCADE
);

-- A call to a tool service takes the credential of its thread along, whoever asks, when it is handed out and when it is
-- handed out once more: so code that knows nothing of credentials does the same. Events of a run do not come by here.
CREATE OR REPLACE FUNCTION emit_event(owner text, tenant text, thread text, run text, attempt integer,
                                      type text, subject text, data jsonb, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    published bigint;
    credential text;
BEGIN
    IF type = 'threadworks.tool-call.requested.v1' THEN
        SELECT c.sealed INTO credential FROM thread_credentials c
        WHERE c.tenant_id = tenant AND c.thread_id = thread AND c.service = data #>> '{tool_call,service}';
        IF credential IS NOT NULL THEN
            data := jsonb_set(data, '{tool_call,credentials}', to_jsonb(credential));
        END IF;
    END IF;
    INSERT INTO outbox (owner, producer, tenant_id, thread_id, run_id, attempt, type, subject, data, created_at)
    VALUES (owner, owner, tenant, thread, run, attempt, type, subject, data, moment)
    RETURNING id INTO published;
    RETURN published;
END
$$;
