"""The names that uploaded files get. Used by the dialects that take uploads."""

import re
from typing import Final

LONGEST_NAME: Final = 255
"""Characters of a file name that are kept."""
NAMELESS: Final = "file"

# Control characters, and what turns text around or is no character: a name is shown, and goes into a header.
_UNSHOWABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe_name(filename: str) -> str:
    """Return the last part of a path, without what cannot be shown; a long one loses its middle, not its ending."""
    name = _UNSHOWABLE.sub("", filename.replace("\\", "/").rpartition("/")[2]).strip()
    if name in {"", ".", ".."}:
        return NAMELESS
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 32]}{name[-32:]}"
