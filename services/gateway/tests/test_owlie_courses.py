"""The course catalogue: what is asked of it, the assistants that are made, and files that cannot be used."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from gateway.application.course_assistants import make_missing
from gateway.application.course_catalogue import CatalogueUnusable, CourseCatalogue, read_catalogue
from gateway.bootstrap import prepare_courses
from gateway.settings import GatewaySettings
from run_engine.store.assistants import Assistants

MOODLE = {"type": "function", "function": {"name": "get_moodle_course_content", "strict": False, "parameters": {}}}
COURSES = {
    "universities": {
        "htw_berlin": {
            "bachelor": {
                "wirtschaftsinformatik": {
                    "Programmierung 1": {
                        "course_id": 50726,
                        "modes": {
                            "general": {"model": "demo", "instructions": "Hilf.", "tools": [MOODLE]},
                            "quiz": {"model": "demo", "instructions": "Frage ab. Kurs 50726."},
                        },
                    },
                    "Datenbanken": {"course_id": "51000", "modes": {"exam": {"model": "demo"}}},
                },
                "leer": {},
            }
        }
    }
}


@pytest.fixture
def catalogue() -> CourseCatalogue:
    return CourseCatalogue.model_validate(COURSES)


async def test_courses_and_their_assistants(
    caller: Any, new_owlie: Any, engine: Any, catalogue: CourseCatalogue
) -> None:
    owlie = new_owlie(owlie_catalogue=catalogue)
    await prepare_courses(engine, owlie.settings)
    subject = {"university": "htw_berlin", "degree": "bachelor", "subject": "wirtschaftsinformatik"}
    assert await owlie.get("/api/courses", **subject) == {"courses": ["Programmierung 1", "Datenbanken"]}
    assert await owlie.get("/api/courses", **{**subject, "subject": "leer"}) == {"courses": []}
    for wrong in ("university", "degree", "subject"):
        detail = await owlie.refused("GET", "/api/courses", 404, params={**subject, wrong: "anders"})
        assert "no such university" in detail
    assert "subject" in await owlie.refused("GET", "/api/courses", 422, params={"university": "a", "degree": "b"})

    found = await owlie.get("/api/get_assistant_ids", course_name="Programmierung 1", mode_name="general")
    assistant = await caller.get(f"/assistants/{owlie.ids.id_of('assistant', found['assistant_id'])}")
    assert assistant["name"] == "Programmierung 1 (general)"
    assert assistant["instructions"] == "Hilf.\n\nMoodle-Kurs-ID: 50726", "the model is told which course is meant"
    assert assistant["tools"] == [MOODLE]
    quiz = await owlie.get("/api/get_assistant_ids", course_name="Programmierung 1", mode_name="quiz")
    other = await caller.get(f"/assistants/{owlie.ids.id_of('assistant', quiz['assistant_id'])}")
    assert other["instructions"] == "Frage ab. Kurs 50726.", "they name it already"
    assert (await owlie.new(found["assistant_id"]))["status"] == "queued"
    for course, mode in (("Programmierung 1", "exam"), ("Programmierung 1", "secret"), ("Programmierung 2", "quiz")):
        asked = {"course_name": course, "mode_name": mode}
        sentence = await owlie.refused("GET", "/api/get_assistant_ids", 404, member="error", params=asked)
        assert "no such course" in sentence


async def test_assistants_are_made_once_and_stay_as_they_are(
    caller: Any, engine: Any, catalogue: CourseCatalogue
) -> None:
    store = Assistants(engine.database)
    await make_missing(store, caller.tenant, catalogue)
    (made, *_) = [each.assistant_id for each in catalogue.modes()]
    await caller.post(f"/assistants/{made}", {"instructions": "Anders."})
    await make_missing(store, caller.tenant, catalogue)
    assert (await caller.get(f"/assistants/{made}"))["instructions"] == "Anders."
    assert await caller.count("assistants") == 3


async def test_an_assistant_that_is_named_has_to_be_there(caller: Any, engine: Any) -> None:
    store, mine = Assistants(engine.database), await caller.assistant()

    def of(**mode: str) -> CourseCatalogue:
        course = {"course_id": "1", "modes": {"general": mode}}
        return CourseCatalogue.model_validate({"universities": {"u": {"d": {"s": {"c": course}}}}})

    await make_missing(store, caller.tenant, of(assistant_id=mine))
    with pytest.raises(CatalogueUnusable, match="asst_nowhere of the course 'c' is not there"):
        await make_missing(store, caller.tenant, of(assistant_id="asst_nowhere"))
    await make_missing(store, caller.tenant, of(assistant_id="asst_named", model="demo"))
    assert (await caller.get("/assistants/asst_named"))["model"] == "demo"


async def test_a_tenant_that_is_not_there(new_owlie: Any, engine: Any) -> None:
    with pytest.raises(ValueError, match="no tenant 'nobody', which THREADWORKS_OWLIE_TENANT names"):
        await prepare_courses(engine, new_owlie(owlie_tenant="nobody").settings)


def test_yaml_and_json_say_the_same(tmp_path: Path, catalogue: CourseCatalogue) -> None:
    as_json = tmp_path / "courses.json"
    as_json.write_bytes(orjson.dumps(COURSES))
    assert read_catalogue(as_json) == catalogue
    as_yaml = tmp_path / "courses.yaml"
    as_yaml.write_text(
        "universities:\n  u:\n    d:\n      s:\n        2026:\n          course_id: 0815\n"
        "          modes: {general: {model: demo}}\n"
    )
    assert read_catalogue(as_yaml).courses_of("u", "d", "s") == ["2026"], "a name may look like a number"


COURSE: dict[str, Any] = {"course_id": "1", "modes": {"general": {"model": "demo"}}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"universities: [", "is neither YAML nor JSON (line 1)"),
        (b"\xff\xfe\x00", "is neither YAML nor JSON"),
        (b"", "is no course catalogue"),
        (b"{}", "universities: Field required"),
        (b'{"universities": {"u": {"d": {"s": ["c"]}}}}', "universities → u → d → s: "),
        ({"c": {**COURSE, "course_id": "x"}}, "universities → u → d → s → c → course_id: "),
        ({"c": {**COURSE, "modes": {"secret": {"model": "m"}}}}, "'general', 'quiz' or 'exam'"),
        ({"c": {**COURSE, "modes": {}}}, "modes"),
        ({"c": {**COURSE, "modes": {"general": {}}}}, "a mode needs an assistant_id, or the model"),
        (
            {"c": {**COURSE, "modes": {"general": {"model": "m", "tools": [{"type": "function"}]}}}},
            "a tool has a function",
        ),
        ({"c": {**COURSE, "modes": {"general": {"assistant_id": "a b"}}}}, "assistant_id"),
        ({"c": {**COURSE, "typo": 1}}, "typo"),
        ({"two\nlines": 1}, "s → two lines: "),
        (
            b"universities:\n  u: {d: {s: {c: {course_id: 1}, c: {course_id: 2}}}}",
            "names 'c' twice in one place (line 2)",
        ),
        (b'{"universities": {}, "universities": {}}', "names 'universities' twice"),
        (b"&a [*a]", "is no course catalogue"),
    ],
)
def test_files_that_cannot_be_used_are_explained_in_one_line(tmp_path: Path, content: Any, reason: str) -> None:
    file = tmp_path / "courses.yaml"
    if isinstance(content, dict):
        content = orjson.dumps({"universities": {"u": {"d": {"s": content}}}})
    file.write_bytes(content)
    with pytest.raises(CatalogueUnusable) as unusable:
        read_catalogue(file)
    assert reason in str(unusable.value)
    assert str(file) in str(unusable.value)
    assert len(str(unusable.value).splitlines()) == 1


def test_course_names_are_unique_because_front_ends_ask_by_name_alone(tmp_path: Path) -> None:
    file = tmp_path / "courses.json"
    file.write_bytes(orjson.dumps({"universities": {name: {"d": {"s": {"c": COURSE}}} for name in ("u", "v")}}))
    with pytest.raises(CatalogueUnusable, match="two courses with the name 'c'"):
        read_catalogue(file)
    with pytest.raises(CatalogueUnusable, match=r"cannot be read \(No such file"):
        read_catalogue(tmp_path / "nothing")


async def test_a_gateway_with_such_a_file_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "courses.yaml"
    file.write_text("universities: [")
    settings = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "OWLIE_KEYS": "a-secret-that-is-no-key",
        "OWLIE_CATALOGUE": str(file),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("THREADWORKS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=inherited | {f"THREADWORKS_{name}": value for name, value in settings.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    (line,) = said.decode().splitlines()
    assert f"THREADWORKS_OWLIE_CATALOGUE: {file} is neither YAML nor JSON" in line
    assert "THREADWORKS_OWLIE_KEYS: it is no comma-separated list of Fernet keys" in line
    assert "a-secret" not in line


def test_settings_read_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "courses.json"
    file.write_bytes(orjson.dumps(COURSES))
    monkeypatch.setenv("THREADWORKS_DATABASE_URL", "postgresql://nobody@nowhere/nothing")
    monkeypatch.setenv("THREADWORKS_OWLIE_CATALOGUE", str(file))
    read = GatewaySettings().owlie_catalogue  # type: ignore[call-arg] # the rest comes from the environment
    assert read is not None
    assert read.has_course("50726")
    assert not read.has_course("51589")
    monkeypatch.setenv("THREADWORKS_OWLIE_CATALOGUE", "")
    assert GatewaySettings().owlie_catalogue is None  # type: ignore[call-arg] # as above


def test_a_part_of_the_file_may_be_used_again(tmp_path: Path) -> None:
    file = tmp_path / "courses.yaml"
    file.write_text(
        "universities: {u: {d: {s: {\n"
        "a: &a {course_id: 1, modes: &m {general: &g {model: m, instructions: i}}},\n"
        "b: {<<: *a, course_id: 2}, c: {course_id: 3, modes: *m},\n"
        "d: {course_id: 4, modes: {quiz: {<<: *g, model: n}}}\n"
        "}}}}\n"
    )
    modes = {each.course_name: (each.course_id, each.mode.model) for each in read_catalogue(file).modes()}
    assert modes == {"a": ("1", "m"), "b": ("2", "m"), "c": ("3", "m"), "d": ("4", "n")}
