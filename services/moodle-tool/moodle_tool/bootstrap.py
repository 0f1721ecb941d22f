"""The composition root of moodle-tool: the only module that knows settings, adapters and entry points at once.

`__main__` builds the service on Kafka with it, `threadworks run` on the in-process bus.
"""

from zoneinfo import ZoneInfo

from event_bus import EventBus
from observability import Meters, register_secret
from pydantic import SecretStr
from tool_service import ToolServiceRunner
from tool_service.sealing import SealingKeys

from moodle_tool.adapters.metrics import MoodleMeter
from moodle_tool.adapters.moodle_client import MoodleClient
from moodle_tool.application.read_course import ReadCourse
from moodle_tool.entrypoints.tool_functions import moodle_tools
from moodle_tool.settings import MoodleToolSettings


def build(
    settings: MoodleToolSettings,
    bus: EventBus,
    meters: Meters | None = None,
    *,
    concurrency: int = 16,
    sealing_keys: SecretStr | None = None,
) -> ToolServiceRunner:
    """Return the service, to be started on a started bus; it counts in `meters`.

    `concurrency` is calls at once per partition; `sealing_keys` open the tokens of users (`ToolProcessSettings`).
    """
    meters = Meters() if meters is None else meters
    register_secret(settings.moodle_token.get_secret_value())
    client = MoodleClient(
        base_url=str(settings.moodle_base_url),
        token=settings.moodle_token,
        request_timeout=settings.moodle_request_timeout,
        meter=MoodleMeter(meters),
    )
    read_course = ReadCourse(client, zone=ZoneInfo(settings.moodle_time_zone), text_limit=settings.moodle_text_limit)
    tools = moodle_tools(read_course, timeout=settings.moodle_call_timeout)
    return ToolServiceRunner(
        tools.name,
        tools.functions,
        bus,
        concurrency=concurrency,
        lifespan=client,
        meters=meters,
        keys=SealingKeys.read(sealing_keys),
    )
