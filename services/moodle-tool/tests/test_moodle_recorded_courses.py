"""Every recorded course becomes text that says what a participant may know: right, readable, and no more."""

import re
from zoneinfo import ZoneInfo

import orjson
import pytest
from moodle_simulator import Recording, Recordings
from moodle_tool.adapters.course_contents import read_contents
from moodle_tool.application.course import Activity, Course
from moodle_tool.application.course_text import course_text

BERLIN = ZoneInfo("Europe/Berlin")
RECORDINGS = Recordings.load()
COURSES = [r for r in RECORDINGS.of("core_course_get_contents") if r.body.startswith(b"[")]
DATES = """
25.10. | 09-15 Uhr | WH Gebäude C 406
26.10. | 10-15 Uhr | WH Gebäude C 406
08.11. | 09–12 Uhr | online in Zoom (+ Aufgabe mit flexibler Zeiteinteilung)
22.11. | 09-14 Uhr | WH Gebäude C 406
""".strip().splitlines()


def course(case: str) -> Course:
    recording = RECORDINGS[f"core_course_get_contents/{case}"]
    return read_contents(orjson.loads(recording.body), int(recording.params["courseid"]))


def text(case: str, *, limit: int = 1_000_000) -> str:
    return course_text(course(case), zone=BERLIN, limit=limit)


def activity(case: str, name: str) -> Activity:
    return next(a for section in course(case).sections for a in section.activities if a.name == name)


def test_there_are_courses() -> None:
    assert len(COURSES) == 54


@pytest.mark.parametrize("recording", COURSES, ids=lambda recording: recording.name)
def test_every_recorded_course_is_readable(recording: Recording) -> None:
    written = course_text(
        read_contents(orjson.loads(recording.body), int(recording.params["courseid"])), zone=BERLIN, limit=60_000
    )
    assert len(written) <= 60_000
    assert written.startswith(f"Moodle course {recording.params['courseid']}")
    assert not re.search(r"&[a-z]+;|&#\d+;", written), "an entity was not decoded"
    assert not re.search(r"</?[a-z]+[ >]|class=|data-", written), "there is HTML left"
    assert not re.search(r"token=|forcedownload|/webservice/", written), "an address is for programs"
    assert "\xa0" not in written
    assert "availability-tree" not in written
    assert not re.search(r"\n\n\n| $", written, re.MULTILINE)
    if "unread" not in recording.name:
        assert not re.search("ungelesen|unread|badge", written), "what concerns the account alone is told"


@pytest.mark.parametrize("case", ["tutor_service", "tutor_student1", "tutor_teacher", "tutor_student1_filter"])
def test_the_dates_of_course_51589_are_told(case: str) -> None:
    written = text(case)
    for line in [
        *DATES,
        "## 25.10. 09-15 Uhr, WH Gebäude C 406",
        "## 26.10. 10-15 Uhr, WH Gebäude C 406",
        "## 08.11. 09-12 Uhr online in Zoom (+ Aufgabe mit flexibler Zeiteinteilung)",
        "## 22.11. 09-14 Uhr, WH Gebäude C 406",
        "Due: Sun 29.11.2026 23:59",
        "Cut-off, last possible submission: Sun 06.12.2026 23:59",
        "Opens: Sun 22.11.2026 12:00",
        "Closes: Sun 29.11.2026 23:59",
        "Herzlich willkommen zur Tutor*innenqualifizierung!",
        "Times are Europe/Berlin.",
    ]:
        assert line in written, line
    assert "→ https://hs-beispiel.zoom.example/j/61234567890?pwd=aBcD" in written
    assert "Meeting-ID: 612 3456 7890" in written


def test_the_facts_of_course_50726_are_told() -> None:
    written = text("prog1_service")
    assert "Klausur: Montag, 08.02.2027, 09:00–10:30 Uhr, H 0.01 und H 0.02" in written
    assert "Vorlesung: montags 10:00–11:30 Uhr, Hörsaal H 0.01" in written
    assert "Tutorium (Jonas Reuterberg): freitags 12:15 Uhr, A 104" in written
    due = re.findall(r"\* Assignment: Praktikumsaufgabe (\d).*\n.*\n  Due: (.*)", written)
    assert due == [
        ("1", "Sun 25.10.2026 23:59"),
        ("2", "Sun 08.11.2026 23:59"),
        ("3", "Sun 22.11.2026 23:59"),
        ("4", "Sun 06.12.2026 23:59"),
        ("5", "Sun 20.12.2026 23:59"),
        ("6", "Sun 03.01.2027 23:59"),
    ]


@pytest.mark.parametrize("case", ["tutor_teacher", "tutor_admin", "tutor_tutor", "tutor_teacher_includestealthmodules"])
def test_a_privileged_token_tells_no_more_than_a_participant_sees(case: str) -> None:
    written = text(case)
    for hidden in [
        "480 €",
        "Interne Planung",
        "Budget",
        "Teilnahmeliste",
        "Musterlösung",
        "Zusatztermin Gruppe B",
        "Entwurf: Prüfungsrecht",
        "Anreise für Referent*innen",
        "TutQual_04_KollegialeBeratung.pdf",
        "Podcast: Gute Tutorien",
    ]:
        assert hidden not in written, hidden
    assert "Folien: Kollegiale Beratung" in written
    assert "## Zusatzmaterial\nRestricted: Verfügbar ab 1. Dezember 2026" in written


def test_what_a_group_sees_is_told_with_a_token_of_that_group() -> None:
    assert "Zusatztermin Gruppe B" in text("tutor_student2")


def test_conditions_of_access_are_told_instead_of_contents() -> None:
    restricted = activity("tutor_student1", "Folien: Kollegiale Beratung")
    assert not restricted.accessible
    assert restricted.files == ()
    assert restricted.restriction.splitlines() == [
        "Nicht verfügbar, außer:",
        "- Zeit nach 22. November 2026, 09:00",
        "- Die Aktivität Hospitation und Reflexionsbericht ist als abgeschlossen markiert",
    ]
    section = course("tutor_student1").sections[-1]
    assert (section.name, section.accessible) == ("Zusatzmaterial", False)
    assert section.restriction == "Verfügbar ab 1. Dezember 2026"


def test_activities_that_are_reachable_but_not_on_the_course_page_say_so() -> None:
    stealth = activity("tutor_student1", "Anmeldung zum Stammtisch (nur über Link)")
    assert not stealth.listed
    assert "(not shown on the course page)" in text("tutor_student1")


def test_the_pseudo_section_of_hidden_sections_is_left_out() -> None:
    assert b'"id":-1' in RECORDINGS["core_course_get_contents/tutor_student1_includestealthmodules"].body
    assert text("tutor_student1_includestealthmodules") == text("tutor_student1")


def test_names_read_the_same_with_and_without_entities() -> None:
    assert b"Fragen &amp; Austausch" in RECORDINGS["core_course_get_contents/tutor_student1"].body
    assert b"Fragen & Austausch" in RECORDINGS["core_course_get_contents/tutor_student1_raw_text"].body
    assert text("tutor_student1_raw_text") == text("tutor_student1")
    assert "* Page: Organisatorisches & Leistungsnachweis" in text("tutor_student1")


def test_names_that_the_filter_made_links_of_read_the_same() -> None:
    assert b"autolink" in RECORDINGS["core_course_get_contents/tutor_student1_filter"].body
    assert text("tutor_student1_filter") == text("tutor_student1")


def test_two_languages_are_told_apart_and_the_filter_leaves_one() -> None:
    both = text("guest_access_course_not_enrolled_student1")
    assert "Termine: jeden Mittwoch, 12:30 Uhr, Raum B 021.\nDates: every Wednesday, 12:30 h, room B 021." in both
    one = text("two_languages_student1_filter")
    assert "Termine: jeden Mittwoch" in one
    assert "Dates:" not in one
    assert "* Page: Hilfe <" in one
    assert "HilfeHelp" not in one


def test_get_and_post_read_the_same() -> None:
    assert text("tutor_student1_get") == text("tutor_student1")


def test_dates_are_labelled_by_their_id_and_not_by_the_translated_label() -> None:
    german, english = activity("tutor_student1", "Abschlussquiz"), activity("tutor_student1_lang_en", "Abschlussquiz")
    assert [date.label for date in german.dates] == ["Opens", "Closes"]
    assert german.dates == english.dates


def test_dates_in_customdata_are_found_whether_numbers_or_text() -> None:
    assignment = activity("tutor_student1", "Hospitation und Reflexionsbericht")
    assert [date.label for date in assignment.dates] == [
        "Submission opens",
        "Due",
        "Cut-off, last possible submission",
    ]


def test_a_label_without_a_name_of_its_own_is_told_once() -> None:
    written = text("prog1_service")
    assert "Sprechstunde Prof. Feldhaus: dienstags 10–11 Uhr, ..." not in written
    assert written.count("Sprechstunde Prof. Feldhaus") == 1
    assert "* Text: Teil II: Objektorientierung\n" in written
    assert "* Text: Hinweis\n  Raum ist ab 09:30 Uhr geöffnet. Der Aufzug in Gebäude C ist außer Betrieb." in text(
        "tutor_student1"
    )


def test_a_page_has_no_files_and_a_book_has_chapters() -> None:
    assert activity("tutor_student1", "Organisatorisches & Leistungsnachweis").files == ()
    book = activity("tutor_teacher", "Handbuch für Tutor*innen")
    assert [(chapter.level, chapter.title) for chapter in book.chapters] == [
        (0, "Aufgaben von Tutor*innen"),
        (1, "Vertrag und Stundenzettel"),
        (0, "Die erste Sitzung"),
        (0, "Schwierige Situationen"),
        (0, "Online-Tutorien"),
    ]


def test_files_have_folder_size_and_address() -> None:
    folder = activity("tutor_student1", "Materialien Termin 1")
    assert [(file.path, file.size) for file in folder.files] == [
        ("Arbeitsblatt_1_Erwartungen.pdf", 35604),
        ("Arbeitsblatt_2_Rollen.pdf", 41748),
        ("Vorlagen/Feedbackbogen.docx", 20733),
        ("Vorlagen/Ablaufplan Tutorium.xlsx", 12535),
        ("Literatur/Literatur.txt", 108),
    ]
    assert folder.files[3].address == (
        "https://moodle.example/pluginfile.php/1930448/mod_folder/content/0/Vorlagen/Ablaufplan%20Tutorium.xlsx"
    )
    one_file = "<https://moodle.example/mod/resource/view.php?id=1204426> Methodenkoffer.pdf (519.8 KB)"
    assert f"* File: Methodenkoffer.pdf {one_file}" in text("tutor_student1")
    assert activity("tutor_student1", "Upload Team (leer)").files == ()


def test_addresses_that_are_none_are_left_out() -> None:
    assert b"@@PLUGINFILE@@" in RECORDINGS["core_course_get_contents/tutor_student1_fileurl_false"].body
    assert text("tutor_student1_fileurl_false") == text("tutor_student1")


def test_an_empty_course_says_so() -> None:
    assert "has no content that is visible to participants" in text("site_course_student1")
    assert "## Allgemeines" in text("empty_course_student1")


def test_a_huge_course_is_told_in_full_when_there_is_room() -> None:
    written = text("big_course_390_modules_student1")
    assert written.count("\n## ") == 31
    assert written.count("\n* ") == 390
    assert "NOTE" not in written


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (60_000, "Left out: the direct addresses of files."),
        (30_000, "Left out: all texts, files and addresses: only names and dates are listed."),
        (3_000, "NOTE: the text is cut here. Left out: the rest of this section and 26 more sections: "),
    ],
)
def test_a_huge_course_is_told_in_less_detail_and_says_what_is_left_out(limit: int, told: str) -> None:
    written = text("big_course_390_modules_student1", limit=limit)
    assert limit / 2 < len(written) <= limit
    assert "NOTE: in full this course has" in written
    assert told in written


def test_a_cut_text_names_the_sections_that_are_missing() -> None:
    written = text("big_course_390_modules_student1", limit=12_000)
    kept, cut = written.split("\n\nNOTE: the text is cut here.")
    missing = [section.name for section in course("big_course_390_modules_student1").sections[kept.count("\n## ") :]]
    assert len(missing) > 3
    assert cut.endswith(f"and {len(missing)} more sections: {'; '.join(missing)}.")


@pytest.mark.parametrize("limit", range(2_000, 30_000, 1_777))
def test_no_text_is_longer_than_its_limit(limit: int) -> None:
    for case in ("big_course_390_modules_student1", "prog1_teacher", "tutor_service"):
        assert len(text(case, limit=limit)) <= limit
