-- oldest code that can live with this schema: 1
--
-- Replies to requests that came with a key of the client's (the header Idempotency-Key), for their repetitions. The row
-- is inserted before the effect of the request and committed together with it: whoever repeats the request at the same
-- moment waits for that commit, and a refusal leaves nothing.
CREATE TABLE idempotency_keys (
    tenant_id       text NOT NULL,
    -- SHA-256 of method, path and key: an index takes no entry as long as a path may be.
    name            bytea NOT NULL,
    -- SHA-256 of all that the reply depends on besides; the same key may not stand for another request.
    fingerprint     bytea NOT NULL,
    created_at      timestamptz NOT NULL,
    -- The reply. Nothing but the transaction that made the row ever sees it without one.
    status          integer,
    headers         jsonb,
    body            bytea,
    -- The place of a run's events where a streamed reply began: a repetition reads on from there.
    stream          jsonb,
    PRIMARY KEY (tenant_id, name)
-- Every row is updated once, at once: with room beside it, in place.
) WITH (fillfactor = 50);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
