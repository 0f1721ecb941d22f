"""HTML as Moodle's editors write it becomes readable lines."""

import pytest
from moodle_tool.adapters.html_text import html_to_text, plain_name


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>Sch&ouml;n &amp; gut, 23:59&nbsp;Uhr, 09&ndash;12</p>", "Schön & gut, 23:59 Uhr, 09–12"),
        ("<p>one</p><p>&nbsp;</p><p>two</p>", "one\ntwo"),
        ("<p>a<br>b</p>", "a\nb"),
        ("<p>Woche <b>3</b>: <em>x</em>y</p>", "Woche 3: xy"),
        ("line\nbreak in   the source", "line break in the source"),
        ("&amp;uuml; stays one step decoded", "&uuml; stays one step decoded"),
        ("<h4>Head</h4><ul><li>a</li><li>b &amp; c</li></ul>end", "Head\n- a\n- b & c\nend"),
        ("<ol><li>a<ul><li>inner</li></ul></li><li>b</li></ol>", "1. a\n   - inner\n2. b"),
        (
            "<table><tr><th>Tag</th><th>Ort</th></tr><tr><td>Mo</td><td>C<br>4</td></tr></table>",
            "Tag | Ort\nMo | C 4",
        ),
        ("<table><tr><td>only <p>layout</p></td></tr></table>", "only\nlayout"),
        ("<table><tr><td>a</td><td></td><td>c</td></tr><tr><td></td><td></td></tr></table>", "a |  | c"),
        ("<script>alert(1)</script><style>p{}</style><!-- no -->text", "text"),
        ('<img src="x.png" alt=""><img src="y.png" alt="Plan &amp; Weg">', "[picture: Plan & Weg]"),
        ('see <a href="https://a.example/x?b=1&amp;c=2">here</a>.', "see here (https://a.example/x?b=1&c=2)."),
        ('<a href="https://a.example/">https://a.example</a>', "https://a.example/"),
        ('<a href="https://a.example/x"> </a>', "https://a.example/x"),
        ('an <a href="mailto:t@example.org">t@example.org</a>', "an t@example.org"),
        ('<a href="mailto:t@example.org">write</a>', "write (mailto:t@example.org)"),
        ('<a href="javascript:alert(1)">a</a> <a href="#top">b</a> <a href="data:x,y">c</a> <a>d</a>', "a b c d"),
        ('Aufgabe <a class="autolink" href="https://moodle.example/mod/assign/view.php?id=1">X</a>', "Aufgabe X"),
        ('<span lang="de" class="multilang">Hilfe</span><span lang="en" class="multilang">Help</span>', "Hilfe\nHelp"),
        ('<iframe src="https://v.example/1"></iframe>', "[media: https://v.example/1]"),
        ('<video><source src="https://v.example/1.mp4"></video>', "[media: https://v.example/1.mp4]"),
        ("<pre>int x;\n  int y;\n\n</pre>", "int x;\n  int y;"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("<p>never closed <b>bold", "never closed bold"),
        ("5 < 6 & 7 > 6", "5 < 6 & 7 > 6"),
    ],
)
def test_html_becomes_lines(source: str, text: str) -> None:
    assert html_to_text(source) == text


def test_file_addresses_can_be_opened_in_a_browser_and_hold_no_token() -> None:
    source = (
        '<a href="https://m.example/webservice/pluginfile.php/1/mod_page/content/0/a.pdf?token=0123abc&amp;forcedownload=1">'
        'a</a> <a href="https://m.example/sub/tokenpluginfile.php/0123abc/1/x/b.pdf">b</a>'
    )
    assert html_to_text(source) == (
        "a (https://m.example/pluginfile.php/1/mod_page/content/0/a.pdf) b (https://m.example/sub/pluginfile.php/1/x/b.pdf)"
    )


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    assert html_to_text("<div>" * 20_000 + "deep" + "</div>" * 20_000) == "deep"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Fragen &amp; Austausch", "Fragen & Austausch"),
        ("Fragen & Austausch", "Fragen & Austausch"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("Suchen &amp; Finden 🔎", "Suchen & Finden 🔎"),
        ("  two\xa0 words ", "two words"),
    ],
)
def test_names_are_decoded_once(source: str, name: str) -> None:
    assert plain_name(source) == name
