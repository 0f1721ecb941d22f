"""What bodies of version 1 may be, as pydantic models.

Written out again, they are bodies of version 2: their serializers translate (see `translation.as_version_2`).
"""
