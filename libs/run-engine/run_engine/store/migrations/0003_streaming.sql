-- oldest code that can live with this schema: 1
--
-- Streams: which gateway reads which partition of the deltas, who streams a run, and steps that begin in the open. And
-- a bound on the life of runs that call tools.

-- One row a partition of threadworks.run-deltas.v1. A slot belongs to a gateway as long as its liveness row is renewed.
CREATE TABLE stream_slots (
    slot            smallint PRIMARY KEY,
    worker          text,
    held_at         timestamptz     -- when it was seen to belong to somebody last
);
INSERT INTO stream_slots (slot) SELECT generate_series(0, 63);

-- The slots of the gateways that stream the run: a set. Where it is empty, a step is written at its end only.
ALTER TABLE runs ADD COLUMN stream_slots smallint[] NOT NULL DEFAULT '{}';

-- When the run expires but for the tool services that it waits for: only a run still inside its own life is extended, so
-- no number of tool rounds keeps one alive for ever. Null until the first extension.
ALTER TABLE runs ADD COLUMN life_ends_at timestamptz;

-- The step_details of a step.
CREATE FUNCTION step_details(s run_steps) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE s.type
        WHEN 'tool_calls' THEN tool_calls_details(s.tenant_id, s.id)
        ELSE jsonb_build_object('type', 'message_creation', 'message_creation',
                                jsonb_build_object('message_id', s.message_id)) END
$$;

-- The status of a step, null where there is none. It is volatile so that it reads with a fresh snapshot: the caller may have
-- waited for the lock of the run, which another try of the same write held, whose reply was lost.
CREATE FUNCTION step_status(tenant text, step text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT s.status FROM run_steps s WHERE s.tenant_id = tenant AND s.id = step);
END
$$;

-- Fails the step that the caller's locked run has begun in the open and not finished, and forgets its message: the text
-- of a reply is no state until it is whole. A step that has calls is parked, not open. Returns the outbox id; null where
-- no step is open.
CREATE FUNCTION abandon_open_step(owner text, tenant text, run text, reason text)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    step run_steps;
    moved runs;
BEGIN
    UPDATE run_steps s SET status = 'failed', failed_at = moment,
                           last_error = jsonb_build_object('code', 'server_error', 'message', reason)
    WHERE s.tenant_id = tenant AND s.run_id = run AND s.status = 'in_progress'
      AND NOT EXISTS (SELECT FROM tool_calls c WHERE c.tenant_id = s.tenant_id AND c.step_id = s.id)
    RETURNING * INTO step;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    DELETE FROM messages m WHERE m.tenant_id = tenant AND m.run_id = run AND m.status = 'in_progress';
    UPDATE runs r SET seq = r.seq + 1 WHERE r.tenant_id = tenant AND r.id = run RETURNING * INTO moved;
    RETURN emit_run_event(owner, tenant, moved.thread_id, run, moved.seq, moved.attempt,
                          'threadworks.run-step.failed.v1', step.id,
                          jsonb_build_object('step', step_snapshot(step, step_details(step))), moment);
END
$$;
