"""HTML as Moodle's editors write it → readable lines of text.

Used by `course_contents` for summaries, descriptions and conditions of access. Paragraphs and list items become lines,
a table row becomes one line, links keep their addresses, pictures their alternative text; everything else is dropped.
"""

import html
import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from moodle_tool.adapters.addresses import address_for_browsers

_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff]")
_NOISE = {"script", "style", "noscript", "template", "head", "svg", "object", "button", "select", "-comment"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main",
    "nav", "p", "section", "summary",
}  # fmt: skip
_DEEPEST = 100
"""Nesting beyond this depth is taken as plain text, so that no page can exhaust the stack."""


def html_to_text(source: str) -> str:
    """Return the text of an HTML fragment: lines without blank ones between them, entities decoded once."""
    if "<" not in source and "&" not in source:
        return _squeeze(source)
    body = LexborHTMLParser(source).body
    if body is None:
        return ""
    writer = _Writer(depth=0)
    writer.children(body)
    return "\n".join(writer.finish())


def plain_name(source: str) -> str:
    """Return a name or title: not HTML, but with entities in it all the same (`Fragen &amp; Austausch`)."""
    return _squeeze(html.unescape(source))


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", _INVISIBLE.sub("", text)).strip()


def _nodes(parent: LexborNode) -> Iterator[LexborNode]:
    node = parent.child
    while node is not None:
        yield node
        node = node.next


class _Writer:
    """Collects the lines of one block; `inline` is the line that is being written."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._lines: list[str] = []
        self._inline: list[str] = []

    def finish(self) -> list[str]:
        self._end_line()
        return self._lines

    def children(self, parent: LexborNode) -> None:
        self._depth += 1
        for node in _nodes(parent):
            self._node(node)
        self._depth -= 1

    def _end_line(self) -> None:
        line = _squeeze("".join(self._inline))
        self._inline.clear()
        if line:
            self._lines.append(line)

    def _node(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._inline.append(node.text_content or "")
        elif tag in _NOISE:
            return
        elif self._depth > _DEEPEST:
            self._inline.append(node.text(deep=True, separator=" "))
        elif tag == "br":
            self._end_line()
        elif tag == "img":
            self._picture(node)
        elif tag == "a":
            self._link(node)
        elif tag in {"ul", "ol"}:
            self._list(node, numbered=tag == "ol")
        elif tag == "table":
            self._table(node)
        elif tag == "pre":
            self._end_line()
            self._lines += [line.rstrip() for line in node.text(deep=True).splitlines() if line.strip()]
        elif tag in {"iframe", "video", "audio", "embed"}:
            self._media(node)
        elif tag in _BLOCKS or _is_one_language(node):
            self._end_line()
            self.children(node)
            self._end_line()
        else:
            self.children(node)

    def _inner(self, node: LexborNode) -> list[str]:
        writer = _Writer(self._depth)
        writer.children(node)
        return writer.finish()

    def _picture(self, node: LexborNode) -> None:
        alternative = _squeeze(node.attributes.get("alt") or "")
        if alternative:
            self._inline.append(f" [picture: {alternative}] ")

    def _media(self, node: LexborNode) -> None:
        sources = [node, *node.css("source")]
        address = next(filter(None, (address_for_browsers(n.attributes.get("src")) for n in sources)), None)
        if address:
            self._inline.append(f" [media: {address}] ")

    def _link(self, node: LexborNode) -> None:
        lines = self._inner(node)
        text = " ".join(lines)
        # A link that Moodle's filter made of an activity's name leads to an activity that is listed anyway.
        automatic = "autolink" in (node.attributes.get("class") or "").split() or "data-cm-name-for" in node.attributes
        address = None if automatic else address_for_browsers(node.attributes.get("href"))
        if address is None or address.removeprefix("mailto:").removeprefix("tel:") == text:
            address = None
        elif not text or text.rstrip("/") in {address.rstrip("/"), address.split("://")[-1].rstrip("/")}:
            text, address = address, None
        around = node.text(deep=True)
        before, after = (" " if around[:1].isspace() else ""), (" " if around[-1:].isspace() else "")
        self._inline.append(f"{before}{text} ({address}){after}" if address else f"{before}{text}{after}")

    def _list(self, node: LexborNode, *, numbered: bool) -> None:
        self._end_line()
        number = 0
        for item in _nodes(node):
            if item.tag != "li":
                self._node(item)
                continue
            number += 1
            self._end_line()
            lines = self._inner(item)
            if lines:
                mark = f"{number}. " if numbered else "- "
                self._lines.append(mark + lines[0])
                self._lines += [" " * len(mark) + line for line in lines[1:]]
        self._end_line()

    def _table(self, node: LexborNode) -> None:
        self._end_line()
        for part in _nodes(node):
            if part.tag in {"thead", "tbody", "tfoot"}:
                for row in _nodes(part):
                    if row.tag == "tr":
                        self._row(row)
            elif part.tag == "caption":
                self._lines += self._inner(part)

    def _row(self, row: LexborNode) -> None:
        cells = [self._inner(cell) for cell in _nodes(row) if cell.tag in {"td", "th"}]
        if len(cells) == 1:  # a table used for layout
            self._lines += cells[0]
        elif any(cells):
            self._lines.append(" | ".join(" ".join(lines) for lines in cells).rstrip())


def _is_one_language(node: LexborNode) -> bool:
    """Whether this is one language of a text in several. Without Moodle's filter they follow each other unseparated."""
    return "multilang" in (node.attributes.get("class") or "").split()
