"""Which recording answers a request.

A request that was recorded gets exactly that reply. Beyond that there are the few rules below, each of which was seen
to hold in the recordings. Anything else was never recorded, and `Replies.to` says so by returning None.

1. Without a valid token the answer does not depend on anything else.
2. An expired token is refused once and unknown afterwards, because Moodle deletes it then.
3. Tokens that may not call a function get the same refusal for every function and every parameter.
4. An unknown function, a missing, unknown or unreadable parameter and an unknown course are refused alike whoever asks.
5. `moodlewssettingfilter=true` changes links and languages inside texts only, so the unfiltered recording stands in
   where no filtered one exists.
6. The demo's account gets student1's reply for the courses where a real Moodle gave both of them the same bytes.
"""

import re
from collections import defaultdict

from moodle_simulator.moodle_request import MoodleRequest
from moodle_simulator.owners import DEMO_OWNER, owners_by_token
from moodle_simulator.recordings import Recording, Recordings

CONTENTS = "core_course_get_contents"
SITE_INFO = "core_webservice_get_site_info"

# Recordings of a site in another state (debugging on, English, down, …). They answer only when a script asks for them.
_OTHER_STATE = re.compile(r"_debug$|_site_en$|err_database|maintenance|php_fatal|_http403|rest_capability|second_call$")

_REFUSED_EVERYTHING = {
    "student1_iprestricted": f"{CONTENTS}/err_iprestricted",
    "student1_restricted_service": f"{CONTENTS}/err_restricted_service_user_not_allowed",
    "student1_disabled_service": f"{CONTENTS}/err_service_disabled",
    "student1_missing_capability": f"{CONTENTS}/err_service_required_capability",
    "student1_siteinfo_only": f"{CONTENTS}/err_function_not_in_service",
}
_EXPIRED = "student1_expired"
_NOT_IN_ANY_SERVICE = {"core_course_delete_courses"}
_SAME_FOR_DEMO_ACCOUNT = {"52200", "52305", "52888"}
_NO_SUCH_COURSE = re.compile("unknown_course|course_zero|bigint")
_INT64 = 2**63

_Key = tuple[str | None, str | None, frozenset[tuple[str, str]]]


class Replies:
    """Chooses recordings, and remembers which expired tokens were used up."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._exact: dict[_Key, list[Recording]] = defaultdict(list)
        for recording in recordings:
            if not _OTHER_STATE.search(recording.name):
                self._exact[recording.function, recording.owner, frozenset(recording.params.items())].append(recording)
        self._owners = owners_by_token(
            r.owner for r in recordings if r.owner is not None and not r.owner.startswith("(")
        )
        self._functions = {recording.function for recording in recordings if recording.function is not None}
        self._courses = {
            recording.params["courseid"]
            for recording in recordings.of(CONTENTS)
            if recording.params.get("courseid", "").isdigit() and not _NO_SUCH_COURSE.search(recording.name)
        }
        self._used_up: set[str] = set()

    def owner_of(self, token: str | None) -> str | None:
        """Return the account that a token belongs to, or None."""
        return self._owners.get(token) if token else None

    def reset(self) -> None:
        """Make the expired tokens new again."""
        self._used_up.clear()

    def to(self, request: MoodleRequest) -> Recording | None:
        """Return the recording that answers the request, or None if nothing like it was recorded."""
        owner = self.owner_of(request.token) if request.method in {"GET", "HEAD", "POST"} else None
        if owner is None or owner in self._used_up:
            return self._no_token(request)
        if owner == _EXPIRED:
            self._used_up.add(owner)
            return self._recordings[f"{CONTENTS}/err_expired_token_first_call"]
        exact = self._find(request, owner, dict(request.params))
        return exact or self._by_rule(request, owner)

    def _no_token(self, request: MoodleRequest) -> Recording:
        case = "err_invalidtoken" if request.wants_json else "err_invalidtoken_xml_without_format"
        return self._recordings[f"{CONTENTS}/{case}"]

    def _find(self, request: MoodleRequest, owner: str, params: dict[str, str]) -> Recording | None:
        found = self._exact.get((request.function, owner, frozenset(params.items())), [])
        found = sorted(found, key=lambda recording: (recording.method != request.method, len(recording.name)))
        return next(iter(found), None)

    def _by_rule(self, request: MoodleRequest, owner: str) -> Recording | None:
        if not request.wants_json:
            return None
        if request.function is None:
            return self._recordings["_no_function/err_missing_wsfunction"]
        if request.function not in self._functions:
            return self._recordings["core_course_does_not_exist/err_unknown_function"]
        if request.function in _NOT_IN_ANY_SERVICE:
            return self._recordings["core_course_delete_courses/err_known_function_not_in_service"]
        if owner in _REFUSED_EVERYTHING:
            return self._recordings[_REFUSED_EVERYTHING[owner]]
        return self._contents(request, owner) if request.function == CONTENTS else None

    def _contents(self, request: MoodleRequest, owner: str) -> Recording | None:
        refusal = self._refused_parameter(request, owner)
        if refusal is not None:
            return self._recordings[f"{CONTENTS}/{refusal}"]
        owners = [owner]
        if owner == DEMO_OWNER and request.params["courseid"] in _SAME_FOR_DEMO_ACCOUNT:
            owners.append("student1")
        unfiltered = {name: value for name, value in request.params.items() if name != "moodlewssettingfilter"}
        filtered = request.params.get("moodlewssettingfilter") == "true"
        for params in (dict(request.params), unfiltered) if filtered else (dict(request.params),):
            for account in owners:
                found = self._find(request, account, params)
                if found is not None:
                    return found
        return None

    def _refused_parameter(self, request: MoodleRequest, owner: str) -> str | None:
        params = request.params
        if any(not re.match(r"moodlews|courseid|options\[", name) for name in params):
            return "err_unexpected_parameter"
        course = params.get("courseid")
        if course is None:
            return (
                "err_missing_parameter"
                if not any(n.startswith("courseid[") for n in params)
                else "err_wrong_type_array"
            )
        if not re.fullmatch(r"-?[0-9]+", course):
            return "err_wrong_type_text"
        if not -_INT64 <= int(course) < _INT64:
            return "err_bigint"
        if str(int(course)) not in self._courses:
            return "err_unknown_course_english_user" if owner == "enstudent" else "err_unknown_course"
        return None
