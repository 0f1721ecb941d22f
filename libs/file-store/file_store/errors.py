"""What can go wrong with bytes. Texts never repeat an address or a reply of the store: they may hold credentials."""


class FileStoreUnavailable(Exception):
    """The store cannot be reached, has no room or refuses to work; the same may succeed later."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the file store does not work: {reason}")
        self.reason = reason
        """The kind of the error, and the code of an S3 reply where there was one."""


class BytesMissing(Exception):
    """Nothing is stored under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no bytes are stored under {key}")
        self.key = key
