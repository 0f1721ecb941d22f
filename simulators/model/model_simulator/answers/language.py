"""Which of two languages a user writes: German or English. Used to answer in it."""

import re
from collections.abc import Iterable

_WORD = re.compile(r"[a-zäöüß]+")

_GERMAN = """
ich du er sie es wir ihr mir mich dir dich der die das den dem des ein eine einen einem einer und oder nicht
ist sind war was wer wie wo wann warum welche welcher welches gib zeig sag nenne bitte kann kannst für von vom
zum zur im am mit auf aus bei nach kurs kurse kursen termin termine terminen frist fristen abgabe abgaben
hallo danke gibt habe hast hat haben diesen dieser dieses meine mein heute morgen uhr worten wort alle
"""
_ENGLISH = """
i you he she it we they me my your the a an of and or not is are was what who how where when why which give
show tell list please can could for from to in on at with by course courses date dates deadline deadlines
schedule hello hi thanks there have has this that these all do does words
"""

_GERMAN_WORDS = frozenset(_GERMAN.split())
_ENGLISH_WORDS = frozenset(_ENGLISH.split())


def is_german(texts: Iterable[str]) -> bool:
    """Tell whether the first text that shows a language is German; when none does, the answer is English."""
    for text in texts:
        words = _WORD.findall(text.lower())
        german = sum(word in _GERMAN_WORDS or not word.isascii() for word in words)
        english = sum(word in _ENGLISH_WORDS for word in words)
        if german != english:
            return german > english
    return False
