-- oldest code that can live with this schema: 8
--
-- The secret that places of the event feed are sealed with: one for all gateways of an installation, and for its life.

CREATE TABLE feed_key (
    -- There is one row.
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key             bytea NOT NULL CHECK (length(key) = 32)
);

-- Four times 122 bits of chance, in 32 bytes.
INSERT INTO feed_key (key)
SELECT sha256(decode(string_agg(replace(gen_random_uuid()::text, '-', ''), ''), 'hex')) FROM generate_series(1, 4);
