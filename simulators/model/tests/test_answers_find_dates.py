"""Dates are found in whatever a tool returns: headings, tables, prose; German, English, ISO; with or without a year."""

import pytest
from model_simulator.answers.date_patterns import clock_times, day_and_month
from model_simulator.answers.dates import Appointment, emphasise_dates, find_dates

COURSE_TEXT = """
Moodle course 51589 <https://moodle.example/course/view.php?id=51589>

## Allgemeines
* Text:
  Termine im Überblick
  Termin | Zeit | Ort
  25.10. | 09-15 Uhr | WH Gebäude C 406
  08.11. | 09–12 Uhr | online in Zoom (+ Aufgabe mit flexibler Zeiteinteilung)
Pause: 12:00–12:45 Uhr

## 25.10. 09-15 Uhr, WH Gebäude C 406
* Choice: Mittagessen am 25.10. <https://moodle.example/mod/choice/view.php?id=1204425>
  Closes: Fri 23.10.2026 23:59

## 22.11. 09-14 Uhr, WH Gebäude C 406
* Assignment: Hospitation und Reflexionsbericht <https://moodle.example/mod/assign/view.php?id=1204430>
  Due: Sun 29.11.2026 23:59
  Cut-off, last possible submission: Sun 06.12.2026 23:59
  Besuchen Sie ein Tutorium Ihrer Wahl und schreiben Sie einen Bericht (2–3 Seiten).
"""


def test_a_course_gives_its_meetings_once_and_its_due_dates_with_their_names() -> None:
    found = find_dates(COURSE_TEXT.splitlines())
    assert found.appointments == [
        Appointment("25.10.", "09-15 Uhr", "WH Gebäude C 406"),
        Appointment("08.11.", "09–12 Uhr", "online in Zoom (+ Aufgabe mit flexibler Zeiteinteilung)"),
        Appointment("22.11.", "09-14 Uhr", "WH Gebäude C 406"),
    ]
    assert found.mentions == [
        "Choice: Mittagessen am 25.10.",
        "Choice: Mittagessen am 25.10. – Closes: Fri 23.10.2026 23:59",
        "Assignment: Hospitation und Reflexionsbericht – Due: Sun 29.11.2026 23:59",
        "Assignment: Hospitation und Reflexionsbericht – Cut-off, last possible submission: Sun 06.12.2026 23:59",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("### **25.10.2026**, 09:00–15:00 Uhr: Ankommen", Appointment("25.10.2026", "09:00–15:00 Uhr", "Ankommen")),
        ("- 26.10. 10 bis 15 Uhr", Appointment("26.10.", "10 bis 15 Uhr", "")),
        ("Sonntag, 25. Oktober 2026, 9 Uhr, C 406", Appointment("Sonntag, 25. Oktober 2026", "9 Uhr", "C 406")),
        ("Sunday, 25.10.2026 09:00 - 15:00 room C", Appointment("Sunday, 25.10.2026", "09:00 - 15:00", "room C")),
        ("2026-11-29T23:59:00+01:00 due", Appointment("2026-11-29", "23:59:00", "due")),
        ("October 20, 2026: start", Appointment("October 20, 2026", "", "start")),
        (
            "Termin 2: 08.11. WH C 406, 09-12 Uhr, mit Laptop",
            Appointment("08.11.", "09-12 Uhr", "WH C 406, mit Laptop"),
        ),
        ("5. Oktober - 11. Oktober", Appointment("5. Oktober - 11. Oktober", "", "")),
        ("| 25.10. | 09-15 Uhr | C 406 |", Appointment("25.10.", "09-15 Uhr", "C 406")),
    ],
)
def test_a_line_that_begins_with_a_date_is_an_appointment(line: str, expected: Appointment) -> None:
    assert find_dates([line]).appointments == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "Version 4.4.3+ (Build 20240910)",
        "Kapitel 1.2 und 3.4.5",
        "2–3 Seiten, 480 €",
        "Raum ist ab 09:30 Uhr geöffnet",
        "Telefon 030 5019-4242",
        "In May we trust; the march goes on",
        "",
    ],
)
def test_numbers_that_are_no_dates_are_not_taken_for_dates(line: str) -> None:
    found = find_dates([line])
    assert (found.appointments, found.mentions) == ([], [])


def test_of_a_long_paragraph_only_the_sentences_with_a_date_are_kept() -> None:
    filler = "Dieser Satz füllt nur den Absatz und sagt nichts Wichtiges. " * 4
    found = find_dates([f"{filler}Die Klausur ist am 8. Februar 2027 im großen Saal. {filler}"])
    assert found.mentions == ["Die Klausur ist am 8. Februar 2027 im großen Saal."]


def test_the_same_day_is_recognised_in_every_spelling() -> None:
    spellings = [
        "25.10.",
        "25.10.2026",
        "25. 10. 26",
        "2026-10-25",
        "25. Oktober",
        "Sun, 25 October 2026",
        "Oct 25, 2026",
    ]
    assert {day_and_month(spelling) for spelling in spellings} == {(25, 10)}
    with pytest.raises(ValueError, match="no date"):
        day_and_month("demnächst")


def test_the_same_time_is_recognised_in_every_spelling() -> None:
    assert (
        clock_times("09-15 Uhr") == clock_times("9:00–15:00") == clock_times("09.00 bis 15.00 Uhr") == ((9, 0), (15, 0))
    )


def test_dates_are_put_in_bold_where_they_stand() -> None:
    assert emphasise_dates("bis 29.11., 23:59 Uhr") == "bis **29.11.**, 23:59 Uhr"
