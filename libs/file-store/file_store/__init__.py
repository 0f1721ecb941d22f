"""The bytes of files: in a local folder or in an S3-compatible store, written and read as streams.

The gateway stores and serves uploads with it, the run-orchestrator reads the images of a prompt. What belongs to a file
besides its bytes is a row of the run engine.
"""

from file_store.errors import BytesMissing, FileStoreUnavailable
from file_store.location import checked_files_url, open_file_store
from file_store.store import FileStore

__all__ = ["BytesMissing", "FileStore", "FileStoreUnavailable", "checked_files_url", "open_file_store"]
