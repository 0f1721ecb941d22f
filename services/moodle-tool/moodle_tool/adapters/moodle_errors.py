"""Why Moodle refused, in words for a model: one explanation per kind of refusal, and which signs mean which.

The model repeats these sentences to a user, so each says what happened and who can do what about it.
"""

from dataclasses import dataclass

from moodle_tool.application.errors import MoodleError


@dataclass(frozen=True, slots=True)
class Explanation:
    """A machine-readable code, a message, and whether the same call may succeed in a moment."""

    code: str
    message: str
    retryable: bool = False

    def error(self) -> MoodleError:
        """Return it as an error to raise."""
        return MoodleError(self.code, self.message, retryable=self.retryable)


COURSE_NOT_FOUND = Explanation(
    "course_not_found",
    "Moodle has no course with this id. The user can look the id up: it is the number at the end of the course's "
    "address in Moodle (course/view.php?id=…).",
)
COURSE_NOT_ACCESSIBLE = Explanation(
    "course_not_accessible",
    "Moodle does not give access to this course: it is hidden from participants, or the account that is used to read "
    "it is not, or no longer, enrolled there. The user can check the course id and ask a teacher of the course or the "
    "Moodle administrators to give that account access.",
)
TOKEN_INVALID = Explanation(
    "moodle_token_invalid",
    "Moodle does not know the access token of this service: it is wrong, was deleted or has expired. The user cannot "
    "change that; an administrator has to create a new token in Moodle and set it as THREADWORKS_MOODLE_TOKEN.",
)
ACCESS_REFUSED = Explanation(
    "moodle_access_refused",
    "Moodle refuses the access token of this service: it has expired, its web service is switched off or lacks the "
    "function core_course_get_contents, or the account lacks a right or is not on the list of the service, or the "
    "address of this server is not allowed. The user cannot change that; an administrator has to check the token and "
    "the web service in Moodle.",
)
ACCOUNT_BLOCKED = Explanation(
    "moodle_account_blocked",
    "The Moodle account that is used to read courses is suspended, not confirmed, or has to change its password. The "
    "user cannot change that; an administrator has to repair or replace the account.",
)
NO_PERMISSION = Explanation(
    "moodle_no_permission",
    "The Moodle account that is used to read courses lacks the right to do this. The user can ask a teacher of the "
    "course or the Moodle administrators to grant it.",
)
WEB_SERVICES_OFF = Explanation(
    "moodle_web_services_off",
    "Moodle does not accept requests from other programs: its web services or the REST protocol are switched off. The "
    "user cannot change that; a Moodle administrator has to switch them on.",
)
FUNCTION_MISSING = Explanation(
    "moodle_function_missing",
    "This Moodle does not know the function core_course_get_contents, or it is not a Moodle of version 3 or later. An "
    "administrator has to check the address that is set as THREADWORKS_MOODLE_BASE_URL.",
)
MAINTENANCE = Explanation(
    "moodle_maintenance",
    "Moodle is under maintenance and gives no data at the moment. The user can try again later.",
    retryable=True,
)
MAINTENANCE_MODE = Explanation("moodle_maintenance", MAINTENANCE.message)
DATABASE_DOWN = Explanation(
    "moodle_database_down",
    "Moodle cannot reach its own database at the moment. The user can try again in a few minutes; if it lasts, the "
    "Moodle administrators should be told.",
    retryable=True,
)
INVALID_PARAMETER = Explanation(
    "moodle_invalid_parameter",
    "Moodle did not accept the course id. The user can check it: it is the number at the end of the course's address "
    "in Moodle (course/view.php?id=…).",
)
BUSY = Explanation(
    "moodle_busy",
    "Moodle gets too many requests at the moment. The user can try again in a minute.",
    retryable=True,
)
SERVER_FAILED = Explanation(
    "moodle_server_error",
    "Moodle's server failed while it was working on the request. The user can try again later; if it lasts, the Moodle "
    "administrators should be told.",
    retryable=True,
)
MOODLE_FAILED = Explanation(
    "moodle_error",
    "Moodle answered with an error that is not known here. The user can try again later; if it lasts, the Moodle "
    "administrators should be told.",
)
UNEXPECTED_REPLY = Explanation(
    "moodle_unexpected_reply",
    "What came back is not an answer of Moodle's web service. Another program may stand in front of Moodle, or the "
    "address is wrong; an administrator has to check THREADWORKS_MOODLE_BASE_URL.",
)
REDIRECTED = Explanation(
    "moodle_redirects",
    "Moodle's address leads to another address, which is not followed because the access token would be sent there. An "
    "administrator has to set the final address (often https instead of http) as THREADWORKS_MOODLE_BASE_URL.",
)
NOT_AT_THIS_ADDRESS = Explanation(
    "moodle_not_found",
    "There is no Moodle web service at the address that is set. An administrator has to check "
    "THREADWORKS_MOODLE_BASE_URL.",
)
UNREACHABLE = Explanation(
    "moodle_unreachable",
    "Moodle cannot be reached at the moment. The user can try again later; if it lasts, an administrator has to check "
    "the network and THREADWORKS_MOODLE_BASE_URL.",
    retryable=True,
)
TIMED_OUT = Explanation(
    "moodle_timeout",
    "Moodle did not answer in time. The user can try again later.",
    retryable=True,
)
REPLY_TOO_LARGE = Explanation(
    "moodle_reply_too_large",
    "Moodle's description of this course is too large to be read. The user can open the course in Moodle instead.",
)

BY_ERRORCODE = {
    "accessdenied": NO_PERMISSION,
    "accessexception": ACCESS_REFUSED,
    "dbconnectionfailed": DATABASE_DOWN,
    "dmlreadexception": DATABASE_DOWN,
    "dmlwriteexception": DATABASE_DOWN,
    "enablewsdescription": WEB_SERVICES_OFF,
    "errorcoursecontextnotvalid": COURSE_NOT_ACCESSIBLE,
    "errorinvalidparam": INVALID_PARAMETER,
    "forcepasswordchangenotice": ACCOUNT_BLOCKED,
    "invalidcourseid": COURSE_NOT_FOUND,
    "invalidparameter": INVALID_PARAMETER,
    "invalidrecord": COURSE_NOT_FOUND,
    "invalidrecordunknown": COURSE_NOT_FOUND,
    "invalidtoken": TOKEN_INVALID,
    "missingparam": INVALID_PARAMETER,
    "nopermission": NO_PERMISSION,
    "nopermissions": NO_PERMISSION,
    "requireloginerror": COURSE_NOT_ACCESSIBLE,
    "servicenotavailable": ACCESS_REFUSED,
    "sitemaintenance": MAINTENANCE_MODE,
    "usernotconfirmed": ACCOUNT_BLOCKED,
    "wsaccessuserdeleted": ACCOUNT_BLOCKED,
    "wsaccessuserexpired": ACCOUNT_BLOCKED,
    "wsaccessusernologin": ACCOUNT_BLOCKED,
    "wsaccessusersuspended": ACCOUNT_BLOCKED,
    "wsaccessuserunconfirmed": ACCOUNT_BLOCKED,
}
"""Moodle's error codes, which are the same in every language of the site and of the user."""

BY_STATUS = {
    301: REDIRECTED,
    302: REDIRECTED,
    303: REDIRECTED,
    307: REDIRECTED,
    308: REDIRECTED,
    403: WEB_SERVICES_OFF,
    404: NOT_AT_THIS_ADDRESS,
    429: BUSY,
    503: MAINTENANCE,
}
"""Statuses of replies without an error of Moodle's in them. 403 comes with an empty body."""

_OF_USER = {
    COURSE_NOT_ACCESSIBLE.code: "Moodle does not give the user access to this course: it is hidden from participants, "
    "or the user is not, or no longer, enrolled there. The user can check the course id, and ask a teacher of the "
    "course.",
    TOKEN_INVALID.code: "Moodle does not know the access token that the user has given: it is wrong, was deleted or "
    "has expired. The user can make a new one in Moodle (preferences, security keys) and give it.",
    ACCESS_REFUSED.code: "Moodle refuses the access token that the user has given: it has expired, it belongs to a web "
    "service that is switched off or lacks the function core_course_get_contents, or it may not be used from the "
    "address of this server. The user can make a new one in Moodle for the right web service, or ask the "
    "administrators.",
    ACCOUNT_BLOCKED.code: "The user's Moodle account is suspended, not confirmed, or has to change its password. The "
    "user can log in to Moodle to find out, and ask the administrators.",
    NO_PERMISSION.code: "The user's Moodle account lacks the right to do this. The user can ask a teacher of the "
    "course or the Moodle administrators to grant it.",
}


def about_user(error: MoodleError) -> MoodleError:
    """Return the error in words that fit where the token was the user's own: other people can do something about it."""
    message = _OF_USER.get(error.code, error.message)
    return MoodleError(error.code, message, retryable=error.retryable, retry_after=error.retry_after)
