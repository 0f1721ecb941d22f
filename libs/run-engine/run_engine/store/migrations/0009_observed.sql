-- oldest code that can live with this schema: 8
--
-- What is to be seen of runs and events: since when a run waits for a worker, and which trace it and its events belong to.

-- When the run was queued last. Null for runs from before: their creation stands for it.
ALTER TABLE runs ADD COLUMN queued_at timestamptz;
ALTER TABLE runs ALTER COLUMN queued_at SET DEFAULT clock_timestamp();

-- A run comes back to the queue by several moves, also by those of code that is older than this.
CREATE FUNCTION note_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.queued_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER runs_note_queued BEFORE UPDATE OF status ON runs FOR EACH ROW
    WHEN (NEW.status = 'queued' AND OLD.status <> 'queued') EXECUTE FUNCTION note_queued();

-- The W3C trace context of what has written the row, as the session says; null where it belongs to no trace. So a trace
-- goes on however late an event is published, and by whichever process; and with a run whose wake-up was lost.
ALTER TABLE runs ADD COLUMN traceparent text;
ALTER TABLE runs ALTER COLUMN traceparent SET DEFAULT nullif(current_setting('threadworks.traceparent', true), '');
ALTER TABLE outbox ADD COLUMN traceparent text;
ALTER TABLE outbox ALTER COLUMN traceparent SET DEFAULT nullif(current_setting('threadworks.traceparent', true), '');
