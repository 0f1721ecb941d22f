-- oldest code that can live with this schema: 1
--
-- Imports: what the objects of another installation, or of OpenAI, have that ours have not.

-- What an imported usage says beside the tokens of prompt and completion; and ended runs that say nothing of either.
ALTER TABLE runs ADD COLUMN usage_details jsonb,
                 ADD COLUMN usage_unknown boolean NOT NULL DEFAULT false;

ALTER TABLE run_steps ADD COLUMN usage_details jsonb,
                      ADD COLUMN expires_at timestamptz,
                      -- Calls of other tools than functions, as they came: a list of [place among all calls, call].
                      ADD COLUMN other_calls jsonb,
                      -- True for a step that an import has made, because only its run named the calls in it. The
                      -- import of the real step replaces it.
                      ADD COLUMN stand_in boolean NOT NULL DEFAULT false;

-- Imported runs may have calls of the same ids: models repeat theirs, and so do fixtures.
ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_pkey,
                       ADD PRIMARY KEY (tenant_id, run_id, id);
DROP INDEX tool_calls_by_run;

-- Exports walk through the threads in the order of the list.
CREATE INDEX threads_by_time ON threads (tenant_id, created_at, position);
