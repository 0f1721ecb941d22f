"""The outside: Moodle's web service over HTTP, and the translation of its replies into `application.course` objects."""
