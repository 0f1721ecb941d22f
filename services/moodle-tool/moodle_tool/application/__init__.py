"""What moodle-tool does, without HTTP, Kafka or settings: read a course and write it down as text for a model."""
