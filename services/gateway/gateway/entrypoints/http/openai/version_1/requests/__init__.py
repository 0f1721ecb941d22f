"""What bodies of version 1 may be, as pydantic models; each knows what the same body is in version 2 (`translated`)."""
