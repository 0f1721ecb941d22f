"""Releasing: the schemas as they are now become the ones that later changes are compared with. Called by `release`."""

from __future__ import annotations

from pathlib import Path

from message_contracts.schemas import DEFINITIONS, MESSAGES, PACKAGE


def release(released: Path, source: Path = PACKAGE) -> list[str]:
    """Copy every schema file to `released`, without the examples; returns the files that are new or changed there."""
    changed = []
    for kind in (DEFINITIONS, MESSAGES):
        for path in sorted(source.glob(f"{kind}/*/v*.schema.json")):
            name = path.relative_to(source)
            target = released / name
            content = path.read_bytes()
            if not target.exists() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                changed.append(name.as_posix())
    return changed
