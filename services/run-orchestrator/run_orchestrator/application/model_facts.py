"""What has to be known of a model to make a prompt that it can read: its tokens, its context window, its images.

A table of data, by the beginning of the model's name. Used by `fitting`; settings add to it and override it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["o200k_base", "cl100k_base"]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Of one model. Everything is counted in its tokens."""

    encoding: Encoding
    window: int
    """The most that a prompt and its answer may have together."""
    image: int
    """An image whose size nobody knows: 1024 by 1024 pixels at high detail, by the rule of the model's family."""
    small_image: int
    """An image at low detail."""


_TILES_OF_A_SQUARE: Final = 4
"""512-pixel tiles of an image of 1024 by 1024 pixels, which is scaled to 768 by 768 first."""
_PATCHES_OF_A_SQUARE: Final = 1024
"""32-pixel patches of the same image."""


def _tiled(encoding: Encoding, window: int, base: int, tile: int) -> ModelFacts:
    return ModelFacts(encoding, window, base + _TILES_OF_A_SQUARE * tile, base)


def _patched(encoding: Encoding, window: int, factor: float) -> ModelFacts:
    # These models know no low detail: they count the patches of what they are given.
    tokens = round(_PATCHES_OF_A_SQUARE * factor)
    return ModelFacts(encoding, window, tokens, tokens)


# From OpenAI's pages on models and on images. Where an answer has a part of the window of its own, only the part that a
# prompt may use is listed.
KNOWN: Final[Mapping[str, ModelFacts]] = {
    "gpt-3.5": _tiled("cl100k_base", 16_385, 85, 170),
    "gpt-35": _tiled("cl100k_base", 16_385, 85, 170),
    "gpt-4": _tiled("cl100k_base", 8_192, 85, 170),
    "gpt-4-32k": _tiled("cl100k_base", 32_768, 85, 170),
    "gpt-4-turbo": _tiled("cl100k_base", 128_000, 85, 170),
    "gpt-4-vision": _tiled("cl100k_base", 128_000, 85, 170),
    "gpt-4-1106": _tiled("cl100k_base", 128_000, 85, 170),
    "gpt-4-0125": _tiled("cl100k_base", 128_000, 85, 170),
    "gpt-4o": _tiled("o200k_base", 128_000, 85, 170),
    "chatgpt-4o": _tiled("o200k_base", 128_000, 85, 170),
    "gpt-4o-mini": _tiled("o200k_base", 128_000, 2_833, 5_667),
    "gpt-4.1": _tiled("o200k_base", 1_047_576, 85, 170),
    "gpt-4.1-mini": _patched("o200k_base", 1_047_576, 1.62),
    "gpt-4.1-nano": _patched("o200k_base", 1_047_576, 2.46),
    "gpt-4.5": _tiled("o200k_base", 128_000, 85, 170),
    "gpt-5": _tiled("o200k_base", 272_000, 70, 140),
    "gpt-5-mini": _patched("o200k_base", 272_000, 1.62),
    "gpt-5-nano": _patched("o200k_base", 272_000, 2.46),
    "gpt-5-chat": _tiled("o200k_base", 128_000, 70, 140),
    "gpt-5.1-chat": _tiled("o200k_base", 128_000, 70, 140),
    "gpt-5.2-chat": _tiled("o200k_base", 128_000, 70, 140),
    "gpt-5.3-chat": _tiled("o200k_base", 128_000, 70, 140),
    "gpt-oss": _tiled("o200k_base", 131_072, 85, 170),
    "o1": _tiled("o200k_base", 200_000, 75, 150),
    "o1-mini": _tiled("o200k_base", 128_000, 75, 150),
    "o1-preview": _tiled("o200k_base", 128_000, 75, 150),
    "o3": _tiled("o200k_base", 200_000, 75, 150),
    "o4-mini": _patched("o200k_base", 200_000, 1.72),
}


class ModelTable:
    """Finds the facts of a model. `windows` overrides context windows by the beginning of a name, `otherwise` is the
    window of a model that nothing is known of, `aliases` translates names that only we know."""

    def __init__(self, *, windows: Mapping[str, int], otherwise: int, aliases: Mapping[str, str]) -> None:
        self._windows = windows
        self._otherwise = otherwise
        self._aliases = aliases

    def of(self, model: str) -> ModelFacts:
        """The facts of the longest beginning of the name that is listed. `ft:gpt-4o:…` and `openai/gpt-4o` are, too."""
        name = self._aliases.get(model, model)
        plain = name.rsplit("/", 1)[-1].removeprefix("ft:")
        known = _longest_beginning(KNOWN, plain)
        window = _longest_beginning(self._windows, name) or _longest_beginning(self._windows, plain)
        facts = KNOWN[known] if known else _tiled("o200k_base", self._otherwise, 85, 170)
        if not window:
            return facts
        return ModelFacts(facts.encoding, self._windows[window], facts.image, facts.small_image)


def _longest_beginning(names: Mapping[str, object], name: str) -> str:
    """The longest of `names` that `name` begins with; empty for none."""
    return max((each for each in names if name.startswith(each)), key=len, default="")
