"""Every recorded refusal of core_course_get_contents becomes one clear explanation for the model, and leaks nothing."""

import re

import pytest
from moodle_simulator import Recording, Recordings
from moodle_tool.adapters.moodle_replies import read_reply
from moodle_tool.application.errors import MoodleError

RECORDINGS = Recordings.load()
ERRORS = [recording for recording in RECORDINGS.of("core_course_get_contents") if recording.is_error]

# Case of the recording, without what only says in which language or state of the site it was recorded.
CODES = {
    "bigint": "moodle_invalid_parameter",
    "course_zero": "course_not_found",
    "database_down": "moodle_database_down",
    "database_read_timeout": "moodle_database_down",
    "empty_token": "moodle_token_invalid",
    "enrolment_ended": "course_not_accessible",
    "expired_token_first_call": "moodle_access_refused",
    "expired_token_second_call": "moodle_token_invalid",
    "function_not_in_service": "moodle_access_refused",
    "hidden_course": "course_not_accessible",
    "hidden_course_service": "course_not_accessible",
    "invalidtoken": "moodle_token_invalid",
    "invalidtoken_get": "moodle_token_invalid",
    "iprestricted": "moodle_access_refused",
    "json_body_is_not_read": "moodle_token_invalid",
    "leading_space": "moodle_invalid_parameter",
    "maintenance_cli_http503": "moodle_maintenance",
    "maintenance_plain": "moodle_maintenance",
    "maintenance_plain_teacher": "moodle_maintenance",
    "maintenance_plain_wrong_token": "moodle_token_invalid",
    "missing_parameter": "moodle_invalid_parameter",
    "missing_token": "moodle_token_invalid",
    "negative_course": "course_not_found",
    "not_enrolled": "course_not_accessible",
    "option_missing_value": "moodle_invalid_parameter",
    "option_not_a_list": "moodle_invalid_parameter",
    "option_unknown_name": "moodle_invalid_parameter",
    "php_fatal_http500": "moodle_server_error",
    "rest_protocol_disabled_http403": "moodle_web_services_off",
    "restricted_service_user_not_allowed": "moodle_access_refused",
    "service_disabled": "moodle_access_refused",
    "service_required_capability": "moodle_access_refused",
    "token_in_authorization_header": "moodle_token_invalid",
    "trailing_text_in_option_name": "moodle_invalid_parameter",
    "unexpected_parameter": "moodle_invalid_parameter",
    "unknown_course": "course_not_found",
    "webservices_disabled_http403": "moodle_web_services_off",
    "wrong_case_function_name": "moodle_function_missing",
    "wrong_type_array": "moodle_invalid_parameter",
    "wrong_type_empty": "moodle_invalid_parameter",
    "wrong_type_float": "moodle_invalid_parameter",
    "wrong_type_text": "moodle_invalid_parameter",
}
VARIANT = re.compile(r"(_site_en|_debug|_english_user|_lang_setting_en|_xml_without_format|_xml|_no_format)+$")


def refusal(recording: Recording) -> MoodleError:
    with pytest.raises(MoodleError) as caught:
        read_reply(recording.status, recording.headers, recording.body)
    return caught.value


def test_all_recorded_refusals_are_covered() -> None:
    cases = {VARIANT.sub("", recording.name.split("/err_")[1]) for recording in ERRORS}
    assert cases == set(CODES)
    assert len(ERRORS) == 76


@pytest.mark.parametrize("recording", ERRORS, ids=lambda recording: recording.name.split("/")[1])
def test_a_recorded_refusal_is_explained(recording: Recording) -> None:
    error = refusal(recording)
    assert error.code == CODES[VARIANT.sub("", recording.name.split("/err_")[1])]
    assert re.search(r"[Tt]he user can|administrator has to", error.message), "nobody learns what to do"
    assert re.fullmatch(r"[\x20-\x7e…]+", error.message), "not plain English"
    for leak in [
        "SELECT",
        "{course}",
        "203.0.113.7",
        "Ungültig",
        "Kurs",
        "<p>",
        "Exception",
        "array",
        "Missing",
    ]:
        assert leak not in error.message


@pytest.mark.parametrize("recording", [r for r in RECORDINGS if r.is_error], ids=lambda recording: recording.name)
def test_no_refusal_of_any_function_is_taken_for_data(recording: Recording) -> None:
    assert refusal(recording).code


def test_only_what_may_pass_is_tried_again() -> None:
    retried = {refusal(recording).code for recording in ERRORS if refusal(recording).retryable}
    assert retried == {"moodle_database_down", "moodle_server_error", "moodle_maintenance"}
    assert not refusal(RECORDINGS["core_course_get_contents/err_maintenance_plain"]).retryable
    assert refusal(RECORDINGS["core_course_get_contents/err_maintenance_cli_http503"]).retry_after == 300


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (200, {}, b"null", "moodle_unexpected_reply"),
        (200, {}, b"", "moodle_unexpected_reply"),
        (200, {}, b"<!DOCTYPE html><html><body>Log in</body></html>", "moodle_unexpected_reply"),
        (200, {}, b"<br />\n<b>Warning</b>: Undefined variable\n[]", "moodle_unexpected_reply"),
        (200, {}, b"[{", "moodle_unexpected_reply"),
        (200, {}, b"\xff\xfe", "moodle_unexpected_reply"),
        (200, {}, b'{"exception":"Error","message":"Call to a member function x() on null"}', "moodle_error"),
        (200, {}, b'{"exception":"moodle_exception","errorcode":"Unable to find forum with id 9"}', "moodle_error"),
        (200, {}, b'{"exception":"moodle_exception","errorcode":null,"message":null}', "moodle_error"),
        (200, {}, b'{"exception":"coding_exception","errorcode":"codingerror","message":"x"}', "moodle_error"),
        (200, {}, b'{"error":"x","errorcode":"invalidtoken","stacktrace":null}', "moodle_token_invalid"),
        (200, {}, b'{"exception":"x","errorcode":"requireloginerror"}', "course_not_accessible"),
        (200, {}, b'{"exception":"x","errorcode":"nopermissions"}', "moodle_no_permission"),
        (200, {}, b'{"exception":"x","errorcode":"wsaccessusersuspended"}', "moodle_account_blocked"),
        (404, {}, b'{"error":"x","errorcode":"filenotfound"}', "moodle_error"),
        (404, {}, b"<html>Not found</html>", "moodle_not_found"),
        (301, {"location": "https://moodle.example/"}, b"", "moodle_redirects"),
        (303, {}, b"<html></html>", "moodle_redirects"),
        (429, {"retry-after": "7"}, b"", "moodle_busy"),
        (502, {}, b"<html>Bad gateway</html>", "moodle_server_error"),
        (504, {}, b"", "moodle_server_error"),
        (418, {}, b"teapot", "moodle_error"),
        (501, {}, b'{"simulator": "no recording"}', "moodle_server_error"),
    ],
)
def test_replies_that_are_neither_data_nor_a_known_refusal(
    status: int, headers: dict[str, str], body: bytes, code: str
) -> None:
    with pytest.raises(MoodleError) as caught:
        read_reply(status, headers, body)
    assert caught.value.code == code


def test_an_unknown_error_names_its_code_and_nothing_else() -> None:
    with pytest.raises(MoodleError) as caught:
        read_reply(200, {}, b'{"exception":"x","errorcode":"codingerror","message":"secret","debuginfo":"secret"}')
    assert "codingerror" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("header", "seconds"), [("120", 120.0), ("soon", None), ("", None), ("²", None), ("-1", None)])
def test_retry_after_is_read_in_seconds(header: str, seconds: float | None) -> None:
    with pytest.raises(MoodleError) as caught:
        read_reply(503, {"retry-after": header}, b"")
    assert caught.value.retry_after == seconds


def test_data_is_passed_on() -> None:
    assert read_reply(200, {}, b"[]") == []
    assert read_reply(200, {}, b'{"sitename":"x"}') == {"sitename": "x"}
