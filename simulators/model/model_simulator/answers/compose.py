"""The rules in order: call a tool, report what tools answered, ask for what is missing, or introduce the simulator."""

from model_simulator.answers import function_arguments, wording
from model_simulator.answers.answer import Answer, ToolCall
from model_simulator.answers.conversation import Conversation
from model_simulator.request.chat_request import ChatRequest, OfferedFunction
from model_simulator.request.tokens import CHARACTERS_PER_TOKEN


def compose(request: ChatRequest) -> Answer:
    """Answer a request from its messages alone. Pure: the same request always gets the same reply."""
    conversation = Conversation(request.messages)
    calls = _calls(request, conversation)
    if calls:
        return Answer(calls=calls)
    question, german = conversation.question, conversation.german
    if conversation.look_ups:
        reports = [wording.report(each, conversation.about_dates, german) for each in conversation.look_ups]
        return Answer("\n\n".join(reports))
    if conversation.about_dates:
        if function_arguments.function_for_dates(request.functions) is None:
            return Answer(wording.no_tool_for_dates(question, german))
        if not conversation.course_ids:
            return Answer(wording.ask_for_course(german))
    return Answer(_of_length(wording.introduce(question, german), request.directives.tokens))


def _calls(request: ChatRequest, conversation: Conversation) -> tuple[ToolCall, ...]:
    function = _function_to_call(request, conversation)
    if function is None:
        return ()
    forced = request.tool_mode == "required"
    if function_arguments.course_parameter(function) is None:
        called = any(each.function == function.name for each in conversation.look_ups)
        ids: list[str | None] = [None] if forced or not called else []
    else:
        ids = list(_ids_to_look_up(function, conversation))
        if forced and not ids:
            ids = [conversation.course_ids[0] if conversation.course_ids else None]
    if not request.parallel_tool_calls:
        ids = ids[:1]
    return tuple(function_arguments.call(function, conversation, each) for each in ids)


def _function_to_call(request: ChatRequest, conversation: Conversation) -> OfferedFunction | None:
    if request.tool_mode == "none" or not request.functions:
        return None
    if request.forced is not None:
        return next(each for each in request.functions if each.name == request.forced)
    for_dates = function_arguments.function_for_dates(request.functions)
    if request.tool_mode == "required":
        return for_dates or request.functions[0]
    return for_dates if conversation.about_dates else None


def _ids_to_look_up(function: OfferedFunction, conversation: Conversation) -> list[str]:
    """The courses meant that no call since the question has asked for yet; a failed call counts, it is not repeated."""
    done = {
        str(item)
        for each in conversation.look_ups
        if each.function == function.name
        for value in each.arguments.values()
        for item in (value if isinstance(value, list) else [value])
    }
    return [each for each in conversation.course_ids if each not in done]


def _of_length(text: str, length: int | None) -> str:
    """Repeat or cut the text to exactly that many tokens; benchmarks ask for it (`+tokens=200`)."""
    if length is None:
        return text
    characters = length * CHARACTERS_PER_TOKEN
    repeated = " ".join([text] * (characters // (len(text) + 1) + 1))
    return repeated[:characters]
