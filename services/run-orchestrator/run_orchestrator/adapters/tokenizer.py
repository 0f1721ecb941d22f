"""OpenAI's tokens, counted by the tables in the wheel of `bpe-openai`: nothing is downloaded at run time.

Only the compiled half of that package is loaded. Its Python half reads the same tables a second time when it is
imported, which costs half a second and 70 MB and gives nothing that is needed here. Measured on 2 cores: 14–36 µs for
1 000 characters (English text 15, JSON 32, Chinese 36), whatever the text; 50–90 ms and 30–70 MB once for a table.
"""

import importlib.machinery
import importlib.util
from functools import cache
from typing import Final, Protocol, cast

from run_orchestrator.application.model_facts import Encoding

_PACKAGE: Final = "bpe_openai"
_COMPILED: Final = "_bindings"


class _Table(Protocol):
    def count(self, text: str) -> int: ...


class _Bindings(Protocol):
    def tokenizer_for_encoding(self, encoding_name: str) -> _Table: ...


class BpeTokenizer:
    """Counts the tokens of one encoding; special tokens in a text are plain text, as they are in a chat message."""

    def __init__(self, encoding: Encoding) -> None:
        self._table = _bindings().tokenizer_for_encoding(encoding)

    def count(self, text: str) -> int:
        """The number of tokens. Holds up everything else for as long as it takes: give it bounded texts."""
        try:
            return self._table.count(text)
        except UnicodeEncodeError:
            return self._table.count(text.encode("utf-8", "replace").decode())


@cache
def _bindings() -> _Bindings:
    package = importlib.util.find_spec(_PACKAGE)
    places = package.submodule_search_locations if package is not None else None
    compiled = importlib.machinery.PathFinder.find_spec(_COMPILED, places) if places else None
    if compiled is None or compiled.loader is None:
        raise ImportError(f"{_PACKAGE} has no compiled part that could be loaded", name=_PACKAGE)
    module = importlib.util.module_from_spec(compiled)
    compiled.loader.exec_module(module)
    return cast(_Bindings, module)
