"""Puts the dialect together from what `bootstrap` hands in."""

from gateway.application.course_catalogue import CourseCatalogue
from gateway.application.tool_calls import ToolCalls
from gateway.application.use_cases import UseCases
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.endpoint import Admission, Handlers
from gateway.entrypoints.http.idempotency import KeyedRequests, KeysItself
from gateway.entrypoints.http.owlie.access import OwlieDialect
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.entrypoints.http.owlie.operations.answers import AnswerOperations
from gateway.entrypoints.http.owlie.operations.course_content import CourseContentOperations
from gateway.entrypoints.http.owlie.operations.courses import CourseOperations
from gateway.entrypoints.http.owlie.operations.files import FileOperations
from gateway.entrypoints.http.owlie.operations.runs import RunOperations
from gateway.entrypoints.http.owlie.operations.threads import ThreadOperations
from gateway.entrypoints.http.owlie.questions import Questions
from gateway.entrypoints.http.owlie.requests import LARGEST_BODY
from gateway.entrypoints.http.owlie.socket_dialog import OwlieDialog
from gateway.settings import GatewaySettings


def owlie_surface(
    cases: UseCases,
    settings: GatewaySettings,
    tenant_id: str,
    admission: Admission | None,
    tool_calls: ToolCalls | None,
) -> Surface:
    """Return `/api` and `/ws`, for the things of one tenant. `admission` decides which requests are looked at.

    Without `tool_calls` courses are read within runs alone.
    """
    ids = EncryptedIds(settings.owlie_key_list)
    questions = Questions(cases.threads, ids, cases.new_ids)
    threads = ThreadOperations(
        cases.threads,
        cases.messages,
        cases.runs,
        questions,
        ids,
        new_ids=cases.new_ids,
        greeting=settings.owlie_greeting,
    )
    runs = RunOperations(cases.runs, ids)
    answers = AnswerOperations(
        cases.messages, cases.waiting, cases.readings, questions, limit=settings.owlie_wait_seconds
    )
    catalogue = settings.owlie_catalogue or CourseCatalogue(universities={})
    courses = CourseOperations(catalogue, ids)
    files = FileOperations(cases.files, cases.new_ids, largest_file=settings.owlie_largest_file)
    paths = _paths(threads, runs, answers, courses, files)
    if tool_calls is not None:
        content = CourseContentOperations(tool_calls, catalogue)
        paths.append(("/api/tools/get_moodle_course_content", {"POST": KeysItself(content.read)}))
    return Surface(
        OwlieDialect(tenant_id),
        paths,
        KeyedRequests(cases.idempotency, answers.join),
        prefix="/api/",
        admission=admission,
        largest_body=LARGEST_BODY,
        sockets=[("/ws", OwlieDialog(cases.readings, questions, tenant_id, admission))],
    )


def _paths(
    threads: ThreadOperations,
    runs: RunOperations,
    answers: AnswerOperations,
    courses: CourseOperations,
    files: FileOperations,
) -> list[tuple[str, Handlers]]:
    thread = "/api/threads/{thread_id}"
    run = f"{thread}/runs/{{run_id}}"
    return [
        # Everybody is the same tenant here, so whoever guessed a key would be handed the chat that was begun with it.
        ("/api/new", {"POST": KeysItself(threads.begin)}),
        ("/api/change_thread", {"POST": threads.change}),
        (thread, {"GET": threads.list_messages, "POST": threads.ask}),
        (f"{thread}/send_and_wait", {"POST": KeysItself(answers.send_and_wait)}),
        (f"{thread}/send_and_stream", {"POST": answers.send_and_stream}),
        (f"{thread}/stream", {"GET": answers.stream, "HEAD": answers.refuse_head}),
        (run, {"GET": runs.retrieve}),
        (f"{run}/tool", {"POST": runs.answer}),
        (f"{run}/cancel", {"POST": runs.cancel}),
        ("/api/runs/{thread_id}/{run_id}", {"GET": runs.retrieve}),
        ("/api/courses", {"GET": courses.list}),
        ("/api/get_assistant_ids", {"GET": courses.assistant}),
        ("/api/upload", {"POST": KeysItself(files.upload)}),
    ]
