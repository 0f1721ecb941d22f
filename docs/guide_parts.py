"""The generated parts of a guide: what stands between `<!-- KIND: NAME -->` and `<!-- end -->`.

Used by the programs beside it, which make the parts, and by the tests that hold the guides to them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_GUIDES: Final = Path(__file__).parent / "guides"


@dataclass(frozen=True)
class GuideParts:
    """The parts of one kind in one guide.

    `part` makes the part of a name, and raises KeyError for a name that nobody knows.
    """

    guide: str
    """Name of the file."""
    kind: str
    part: Callable[[str], str]

    @property
    def path(self) -> Path:
        """Where the guide is."""
        return _GUIDES / self.guide

    def names(self) -> list[str]:
        """Return the names of the parts that the guide has."""
        return [found[1] for found in self._parts.finditer(self.text())]

    def text(self) -> str:
        """Return the guide as it is."""
        return self.path.read_text(encoding="utf-8")

    def written(self) -> str:
        """Return the guide with its parts as they have to be."""
        return self._parts.sub(
            lambda found: f"<!-- {self.kind}: {found[1]} -->\n{self.part(found[1])}<!-- end -->\n", self.text()
        )

    def write(self) -> None:
        """Rewrite the guide."""
        self.path.write_text(self.written(), encoding="utf-8")

    @property
    def _parts(self) -> re.Pattern[str]:
        return re.compile(rf"<!-- {self.kind}: ([a-z -]+) -->\n.*?<!-- end -->\n", re.DOTALL)
