"""The rules: from the messages alone to a call, a report, a question back, or the word that this is a simulator."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_simulator.answers import course_ids
from model_simulator.answers.answer import Answer
from model_simulator.answers.compose import compose
from model_simulator.answers.language import is_german
from model_simulator.request.chat_request import parse

MOODLE = {
    "type": "function",
    "function": {
        "name": "get_moodle_course_content",
        "description": "Fetches Moodle course content based on course ID.",
        "parameters": {"type": "object", "required": ["courseid"], "properties": {"courseid": {"type": "string"}}},
    },
}
DEMO = {"role": "system", "content": "Du hilfst im Kurs Tutor*innenqualifizierung (Kurs-ID 51589)."}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def function(name: str, parameters: dict[str, Any], description: str = "") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def called(courses: list[str], outputs: list[str]) -> list[dict[str, Any]]:
    calls = [
        {
            "id": f"call_{course}",
            "type": "function",
            "function": {"name": "get_moodle_course_content", "arguments": orjson.dumps({"courseid": course}).decode()},
        }
        for course in courses
    ]
    results = [
        {"role": "tool", "tool_call_id": f"call_{course}", "content": output}
        for course, output in zip(courses, outputs, strict=True)
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


def ask(*messages: dict[str, Any], tools: Any = (MOODLE,), **parameters: Any) -> Answer:
    body = {"model": "demo", "messages": list(messages), **({"tools": list(tools)} if tools else {}), **parameters}
    return compose(parse(orjson.dumps(body))[1])


def arguments_of(answer: Answer) -> list[Any]:
    return [orjson.loads(call.arguments) for call in answer.calls]


@pytest.mark.parametrize(
    "question",
    [
        "gib mir die termine von moodle",
        "was sind die termine für diesen kurs",
        "Wann ist die Abgabe?",
        "What are the deadlines?",
        "when is the exam on 08.02.2027?",
        "Termine 2026",
    ],
)
def test_a_question_about_dates_calls_the_tool_with_the_course_of_the_instructions(question: str) -> None:
    answer = ask(DEMO, user(question))
    assert [call.name for call in answer.calls] == ["get_moodle_course_content"]
    assert arguments_of(answer) == [{"courseid": "51589"}]


def test_the_course_of_the_question_goes_before_that_of_the_instructions() -> None:
    assert arguments_of(ask(DEMO, user("Termine von Kurs 50726?"))) == [{"courseid": "50726"}]


def test_several_courses_are_called_in_parallel_or_one_after_the_other() -> None:
    question = user("Gib mir die Termine der Kurse 51589 und 50726")
    assert arguments_of(ask(question)) == [{"courseid": "51589"}, {"courseid": "50726"}]
    assert arguments_of(ask(question, parallel_tool_calls=False)) == [{"courseid": "51589"}]
    second = ask(question, *called(["51589"], ["25.10. 09-15 Uhr"]), parallel_tool_calls=False)
    assert arguments_of(second) == [{"courseid": "50726"}]
    last = ask(
        question, *called(["51589"], ["25.10. 9 Uhr"]), *called(["50726"], ["08.02. 9 Uhr"]), parallel_tool_calls=False
    )
    assert last.calls == ()
    assert "25.10." in last.text
    assert "08.02." in last.text


def test_without_a_course_it_asks_and_understands_the_bare_answer() -> None:
    first = ask(user("gib mir die termine"))
    assert first.calls == ()
    assert "Kurs-ID" in first.text
    then = ask(user("gib mir die termine"), {"role": "assistant", "content": first.text}, user("51589"))
    assert arguments_of(then) == [{"courseid": "51589"}]
    assert "course ID" in ask(user("What are the dates?")).text


def test_the_dates_of_the_tool_output_are_listed_in_the_language_of_the_question() -> None:
    output = "## 25.10. 09-15 Uhr, WH Gebäude C 406\nAbgabe: bis 29.11., 23:59 Uhr"
    german = ask(DEMO, user("gib mir die termine von moodle"), *called(["51589"], [output]))
    assert german.text == (
        "Hier sind die Termine, die für den Kurs 51589 festgelegt wurden:\n\n"
        "- **25.10.**: 09-15 Uhr, WH Gebäude C 406\n\n"
        "Außerdem steht dort:\n\n"
        "- Abgabe: bis **29.11.**, 23:59 Uhr"
    )
    english = ask(DEMO, user("What are the dates?"), *called(["51589"], [output]))
    assert english.text.startswith("Here are the dates set for course 51589:\n\n- **25.10.**: 09-15 Uhr")


def test_the_dates_come_from_the_output_and_from_nowhere_else() -> None:
    answer = ask(DEMO, user("gib mir die termine"), *called(["51589"], ["Am 01.02. ist ein Ausflug"]))
    assert "**01.02.**" in answer.text
    assert "25.10." not in answer.text


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('{"error": {"code": "not_enrolled", "message": "The account is not in this course."}}', "not in this course"),
        ('{"error": {"code": "timeout"}}', "timeout"),
        ('{"error": "Moodle is away"}', "Moodle is away"),
    ],
)
def test_an_error_of_the_tool_is_said_plainly(output: str, reason: str) -> None:
    german = ask(DEMO, user("gib mir die termine"), *called(["51589"], [output])).text
    assert german.startswith("Ich konnte den Kurs 51589 nicht nachsehen:")
    assert reason in german
    assert ask(DEMO, user("the dates please"), *called(["51589"], [output])).text.startswith(
        "I could not look up course"
    )


def test_an_output_without_dates_is_said_to_have_none() -> None:
    assert "keine Termine" in ask(DEMO, user("termine bitte"), *called(["51589"], ["Nur Text."])).text


def test_dates_in_a_json_output_are_found_too() -> None:
    output = '{"events": [{"name": "Klausur", "when": "08.02.2027 09:00"}], "n": 1}'
    assert "**08.02.2027**: 09:00" in ask(DEMO, user("termine bitte"), *called(["51589"], [output])).text


def test_a_later_question_looks_the_course_up_again() -> None:
    earlier = [user("termine?"), *called(["51589"], ["25.10. 9 Uhr"]), {"role": "assistant", "content": "25.10."}]
    assert arguments_of(ask(DEMO, *earlier, user("und wann war das genau?"))) == [{"courseid": "51589"}]


def test_tool_choice_is_obeyed() -> None:
    other = function(
        "get_weather", {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
    )
    dates = user("gib mir die termine")
    assert ask(DEMO, dates, tool_choice="none").calls == ()
    assert [call.name for call in ask(DEMO, user("hallo"), tool_choice="required").calls] == [
        "get_moodle_course_content"
    ]
    named = {"type": "function", "function": {"name": "get_weather"}}
    assert [call.name for call in ask(DEMO, dates, tools=(MOODLE, other), tool_choice=named).calls] == ["get_weather"]
    assert arguments_of(ask(user("hi"), tools=(other,), tool_choice="required")) == [{"city": ""}]
    again = ask(DEMO, dates, *called(["51589"], ["25.10. 9 Uhr"]), tool_choice="required")
    assert arguments_of(again) == [{"courseid": "51589"}]


@pytest.mark.parametrize(
    ("properties", "required", "expected"),
    [
        ({"course_id": {"type": "integer"}}, ["course_id"], {"course_id": 51589}),
        ({"courseIds": {"type": "array", "items": {"type": "integer"}}}, ["courseIds"], {"courseIds": [51589]}),
        (
            {"kursId": {"type": "string"}, "lang": {"enum": ["de", "en"]}},
            ["kursId", "lang"],
            {"kursId": "51589", "lang": "de"},
        ),
        (
            {"courseid": {"type": "string"}, "query": {"type": "string"}},
            ["query"],
            {"courseid": "51589", "query": "termine"},
        ),
        (
            {
                "courseid": {},
                "limit": {"type": "integer"},
                "all": {"type": "boolean"},
                "tags": {"type": "array"},
                "o": {"type": "object"},
            },
            ["courseid", "limit", "all", "tags", "o"],
            {"courseid": "51589", "limit": 0, "all": False, "tags": [], "o": {}},
        ),
    ],
)
def test_arguments_fit_the_parameters_of_any_course_function(properties: Any, required: Any, expected: Any) -> None:
    tool = function("lookup", {"type": "object", "properties": properties, "required": required})
    assert arguments_of(ask(DEMO, user("termine"), tools=(tool,))) == [expected]


def test_a_function_without_a_course_is_called_once_when_it_speaks_of_dates() -> None:
    calendar = function("find_events", {"properties": {"query": {"type": "string"}}, "required": ["query"]}, "Calendar")
    first = ask(user("termine bitte"), tools=(calendar,))
    assert arguments_of(first) == [{"query": "termine bitte"}]
    call = {"id": "c", "type": "function", "function": {"name": "find_events", "arguments": first.calls[0].arguments}}
    asked = [user("termine bitte"), {"role": "assistant", "content": None, "tool_calls": [call]}]
    answer = ask(*asked, {"role": "tool", "tool_call_id": "c", "content": "25.10. 9 Uhr"}, tools=(calendar,))
    assert answer.calls == ()
    assert "**25.10.**" in answer.text


def test_no_suitable_function_is_said() -> None:
    weather = function("get_weather", {"required": ["city"], "properties": {"city": {"type": "string"}}})
    assert "fehlt mir ein Werkzeug" in ask(DEMO, user("gib mir die termine"), tools=(weather,)).text
    assert "no tool" in ask(user("what are the dates?"), tools=None).text


def test_any_other_question_is_echoed_by_a_simulator_that_says_so() -> None:
    german = ask(DEMO, user("was ist java in 3 worten")).text
    assert (
        german
        == "Ich bin der Modellsimulator von Threadworks, kein Sprachmodell. Gefragt war: „was ist java in 3 worten“"
    )
    assert "not a language model" in ask(user("what is java?")).text
    assert len(ask(user("x" * 5000)).text) < 400


def test_the_content_of_a_tool_that_was_forced_is_reported() -> None:
    text = ask(DEMO, user("was steht im kurs?"), *called(["51589"], ["Viel\nText"])).text
    assert text == "Das Werkzeug get_moodle_course_content antwortet: Viel Text"


def test_the_length_of_a_plain_answer_can_be_wished_for() -> None:
    body = {"model": "demo+tokens=200", "messages": [user("hello")]}
    assert len(compose(parse(orjson.dumps(body))[1]).text) == 800
    body["model"] = "demo+tokens=2"
    assert len(compose(parse(orjson.dumps(body))[1]).text) == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kurs-ID 51589", ["51589"]),
        ("Die Kurs-ID in Moodle lautet: 51589.", ["51589"]),
        ("course id = '7'", ["7"]),
        ("Moodle-ID des Kurses: 2026", ["2026"]),
        ("courses 51589, 50726 and 52003", ["51589", "50726", "52003"]),
        ("https://moodle.example/course/view.php?lang=de&id=50726", ["50726"]),
        ("Kurs 51589 und Kurs 51589", ["51589"]),
        ("im Kurs 2026 gibt es", []),
        ("im Kurs 25.10. um 9", []),
        ("The course has 3 sections", []),
    ],
)
def test_course_ids_are_read_from_what_calls_them_so(text: str, expected: list[str]) -> None:
    assert course_ids.named_in(text) == expected


def test_bare_numbers_of_a_question_are_taken_when_nothing_is_called_an_id() -> None:
    assert course_ids.plausible_in("termine von 51589 und 50726 in 2026") == ["51589", "50726"]
    assert course_ids.plausible_in("am 25.10.2026 um 12:30 oder 2026-10-25") == []


def test_the_language_is_that_of_the_first_text_that_shows_one() -> None:
    assert is_german(["51589", "gib mir die termine"])
    assert not is_german(["51589", "give me the dates", "gib mir die termine"])
    assert not is_german(["51589"])
    assert is_german(["Übungen"])


@given(st.text(), st.text(), st.text())
def test_any_text_is_answered(instructions: str, question: str, output: str) -> None:
    asked = [{"role": "system", "content": instructions}, user(question)]
    first = ask(*asked)
    assert first.text or first.calls
    assert ask(*asked, *called(["51589"], [output])).text or first.calls
