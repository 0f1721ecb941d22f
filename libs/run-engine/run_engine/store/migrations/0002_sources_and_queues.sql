-- oldest code that can live with this schema: 1
--
-- Events name the process that has committed them, and what is looked through all the time stays short.

-- The process that committed the event; its role is the event's source. `owner` is no substitute: it changes when the
-- event is adopted, and an event that is published twice must be recognised by its source and id.
ALTER TABLE outbox ADD COLUMN producer text;
UPDATE outbox SET producer = owner;
ALTER TABLE outbox ALTER COLUMN producer SET NOT NULL;
ALTER TABLE outbox_rejected ADD COLUMN producer text;

CREATE OR REPLACE FUNCTION emit_run_event(owner text, tenant text, thread text, run text, seq integer, attempt integer,
                                          type text, subject text, data jsonb, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    published bigint;
BEGIN
    INSERT INTO run_events (tenant_id, run_id, seq, type, subject, data, created_at)
    VALUES (tenant, run, seq, type, subject, data, moment);
    INSERT INTO outbox (owner, producer, tenant_id, thread_id, run_id, seq, attempt, type, subject, data, created_at)
    VALUES (owner, owner, tenant, thread, run, seq, attempt, type, subject, data, moment)
    RETURNING id INTO published;
    RETURN published;
END
$$;

CREATE OR REPLACE FUNCTION emit_event(owner text, tenant text, thread text, run text, attempt integer,
                                      type text, subject text, data jsonb, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    published bigint;
BEGIN
    INSERT INTO outbox (owner, producer, tenant_id, thread_id, run_id, attempt, type, subject, data, created_at)
    VALUES (owner, owner, tenant, thread, run, attempt, type, subject, data, moment)
    RETURNING id INTO published;
    RETURN published;
END
$$;

-- The message that a run is writing, for the move that ends it early: it must not read the whole thread.
CREATE INDEX messages_in_progress ON messages (tenant_id, run_id) WHERE status = 'in_progress';

-- The partial indexes of runs are queues that are looked through every second. Dead entries are only skipped by looking
-- at them, so they must not pile up until a fifth of all runs that ever were has changed.
ALTER TABLE runs SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);
