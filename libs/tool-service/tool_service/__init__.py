"""Answer tool calls of Threadworks runs over Kafka.

A service of your own is one file:

    from typing import Annotated

    from pydantic import Field
    from tool_service import ToolError, ToolService
    from tool_service.process import run

    service = ToolService(name="library")


    @service.function(timeout=10)
    async def find_book(title: Annotated[str, Field(description="Title or a part of it.")]) -> str:
        "Finds a book of the library and tells where it stands."
        shelf = await look_up(title)
        if shelf is None:
            raise ToolError("not_found", f"The library has no book called {title}.")
        return f"{title} stands on shelf {shelf}."


    if __name__ == "__main__":
        run(service)

The model sees the function's name, the first paragraph of its docstring and the JSON Schema of its arguments.
Announcing, consuming, validating, deadlines, repeats and errors are the library's. A call may be executed more than
once (after a crash), so functions must only read: nothing that must happen exactly once belongs into one.

`tool_service.process` is not imported here, so that a program with another bus does not load Kafka's client.
"""

from tool_service.context import ToolContext
from tool_service.errors import ToolError
from tool_service.runner import ToolServiceRunner
from tool_service.service import ToolService

__all__ = [
    "ToolContext",
    "ToolError",
    "ToolService",
    "ToolServiceRunner",
]
