"""All that a dialect may call: the use cases, and the stores where a use case would add nothing. Built by `bootstrap`.

Every dialect gets the same, so a conversation is the same one in all of them.
"""

from dataclasses import dataclass

from gateway.application.answering import Answering, OverviewStore
from gateway.application.attached_files import AttachedFiles
from gateway.application.authentication import Authentication
from gateway.application.conversation_ports import ConversationStore, IdNumbers, ToolStore, UserStore
from gateway.application.credentials import Credentials
from gateway.application.exchanges import Exchanges
from gateway.application.files import Files
from gateway.application.idempotency import Idempotency
from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.application.models import Models
from gateway.application.ports import AssistantFileStore, AssistantStore, ExportStore, ImportStore, ThreadStore
from gateway.application.runs import Runs
from gateway.application.streams.readings import Readings
from gateway.application.waiting import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What can be done here, each under the name of what it is about."""

    authentication: Authentication
    credentials: Credentials
    assistants: AssistantStore
    assistant_files: AssistantFileStore
    threads: ThreadStore
    messages: Messages
    runs: Runs
    readings: Readings
    waiting: Waiting
    answering: Answering
    exchanges: Exchanges
    overviews: OverviewStore
    files: Files
    attached_files: AttachedFiles
    models: Models
    users: UserStore
    tools: ToolStore
    conversations: ConversationStore
    aliases: IdNumbers
    imports: ImportStore
    exports: ExportStore
    idempotency: Idempotency
    new_ids: NewIds
