"""Operations of version 1 that translation alone does not make of those of version 2."""
