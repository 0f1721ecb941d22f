-- name: keep_aliases!
-- Remembers which ids these numbers stand for.
INSERT INTO id_aliases (tenant_id, kind, number, id)
SELECT :tenant_id, :kind, given.number, given.id FROM unnest(:numbers::uuid[], :ids::text[]) AS given (number, id)
ON CONFLICT (tenant_id, kind, number) DO NOTHING;

-- name: find_alias^
-- The id that a number stands for.
SELECT id FROM id_aliases WHERE tenant_id = :tenant_id AND kind = :kind AND number = :number;
