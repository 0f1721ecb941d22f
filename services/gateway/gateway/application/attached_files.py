"""Whether the files that are named for new messages or assistants are there.

Asked before anything is stored; costs nothing without files.
"""

from collections.abc import Iterable, Sequence

from run_engine.domain.drafts import NewMessage
from run_engine.errors import NotFound

from gateway.application.file_ports import FileRows


class AttachedFiles:
    """Knows the files of all tenants."""

    def __init__(self, rows: FileRows) -> None:
        self._rows = rows

    async def require(self, tenant_id: str, messages: Iterable[NewMessage]) -> None:
        """Raise `NotFound` for the first file that the tenant does not have.

        One that is deleted a moment later does no harm: the model is told that it cannot see it.
        """
        await self.require_ids(tenant_id, [file_id for message in messages for file_id in files_of(message)])

    async def require_ids(self, tenant_id: str, file_ids: Sequence[str]) -> None:
        """Do the same for files that are named outside of messages."""
        named = list(dict.fromkeys(file_ids))
        if named and (unknown := await self._rows.unknown(tenant_id, named)):
            raise NotFound("file", unknown[0])


def files_of(message: NewMessage) -> Iterable[str]:
    """Give the ids of the files that a message shows or has attached."""
    for part in message.content:
        if part["type"] == "image_file":
            yield part["image_file"]["file_id"]
    for attachment in message.attachments or ():
        yield attachment["file_id"]
