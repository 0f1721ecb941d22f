"""Addresses in Moodle's replies → addresses that a person can open in a browser, without any token.

Moodle's web service gives file addresses below `/webservice/pluginfile.php`, which need a token and refuse a browser's
session; the same path without `/webservice` asks for a login and then shows the file.
"""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_FILES = re.compile(r"^(.*?)(?:/webservice)?/(?:pluginfile\.php|tokenpluginfile\.php/[^/]+)/(.+)$")
_OPENABLE = {"http", "https", "mailto", "tel"}
_DROPPED_FIELDS = {"token", "wstoken", "forcedownload"}


def address_for_browsers(address: object) -> str | None:
    """Return the address to show, or None if there is none that a person could open."""
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address.strip())
    except ValueError:  # not an address at all
        return None
    if parts.scheme.lower() not in _OPENABLE:
        return None
    file = _FILES.match(parts.path)
    if file is None:
        return address.strip()
    fields = [(name, value) for name, value in parse_qsl(parts.query) if name not in _DROPPED_FIELDS]
    return urlunsplit((parts.scheme, parts.netloc, f"{file[1]}/pluginfile.php/{file[2]}", urlencode(fields), ""))


def course_address(module_address: object, course_id: int) -> str | None:
    """Return the address of the course page, told by the address of any activity of it."""
    if not isinstance(module_address, str) or "/mod/" not in module_address:
        return None
    root = address_for_browsers(module_address.split("/mod/")[0])
    return root and f"{root}/course/view.php?id={course_id}"
