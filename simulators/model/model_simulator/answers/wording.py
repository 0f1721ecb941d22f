"""The sentences of the simulator, in both languages. What they are about always comes from the conversation."""

from collections.abc import Sequence

from model_simulator.answers.conversation import LookUp
from model_simulator.answers.dates import FoundDates, emphasise_dates, find_dates
from model_simulator.answers.tool_output import error_in, lines_of

_LONGEST_ECHO = 200
_LONGEST_LIST = 15


def introduce(question: str, german: bool) -> str:
    """The answer to any question that no rule knows: what was asked, and that nothing here can know it."""
    asked = _shortened(question, _LONGEST_ECHO)
    if german:
        return f"Ich bin der Modellsimulator von Threadworks, kein Sprachmodell. Gefragt war: „{asked}“"
    return f"I am the model simulator of Threadworks, not a language model. The question was: “{asked}”"


def ask_for_course(german: bool) -> str:
    """The question back when dates are asked for and no message says of which course."""
    if german:
        return "Für welchen Kurs? In den Nachrichten steht keine Kurs-ID; bitte nenne sie mir, dann sehe ich nach."
    return "For which course? No message names a course ID; please tell me, and I will look it up."


def no_tool_for_dates(question: str, german: bool) -> str:
    """The answer when dates are asked for and no offered function could know them."""
    why = "Um Termine nachzusehen, fehlt mir ein Werkzeug." if german else "I was given no tool to look up dates with."
    return f"{introduce(question, german)} {why}"


def report(look_up: LookUp, about_dates: bool, german: bool) -> str:
    """What a tool answered: the dates in it, its error, or its beginning when dates were not the question."""
    subject = _subject(look_up, german)
    error = error_in(look_up.output)
    if error is not None:
        tried = f"Ich konnte {subject} nicht nachsehen" if german else f"I could not look up {subject}"
        return f"{tried}: {error}"
    lines = lines_of(look_up.output)
    if not about_dates:
        said = f"Das Werkzeug {look_up.function} antwortet" if german else f"The tool {look_up.function} answered"
        return f"{said}: {_shortened(' '.join(' '.join(lines).split()), _LONGEST_ECHO)}"
    found = find_dates(lines)
    if not (found.appointments or found.mentions):
        return f"Für {subject} habe ich keine Termine gefunden." if german else f"I found no dates for {subject}."
    return _dates(found, subject, german)


def _subject(look_up: LookUp, german: bool) -> str:
    """ "den Kurs 51589" where the call carried a number, else the function's name."""
    numbers = [str(value) for value in look_up.arguments.values() if str(value).isdigit()]
    if not numbers:
        return look_up.function
    return f"{'den Kurs' if german else 'course'} {numbers[0]}"


def _dates(found: FoundDates, subject: str, german: bool) -> str:
    paragraphs = []
    if found.appointments:
        begin = f"Hier sind die Termine, die für {subject} festgelegt wurden:"
        paragraphs += [begin if german else f"Here are the dates set for {subject}:"]
        paragraphs += [_list([_line(each.day, each.time, each.detail) for each in found.appointments], german)]
    if found.mentions:
        if found.appointments:
            paragraphs += ["Außerdem steht dort:" if german else "Also mentioned there:"]
        else:
            begin = f"Hier sind die Termine, die ich für {subject} gefunden habe:"
            paragraphs += [begin if german else f"Here are the dates I found for {subject}:"]
        paragraphs += [_list([emphasise_dates(each) for each in found.mentions], german)]
    return "\n\n".join(paragraphs)


def _line(day: str, time: str, detail: str) -> str:
    rest = ", ".join(part for part in (time, detail) if part)
    return f"**{day}**: {rest}" if rest else f"**{day}**"


def _list(entries: Sequence[str], german: bool) -> str:
    shown = [f"- {entry}" for entry in entries[:_LONGEST_LIST]]
    left = len(entries) - len(shown)
    if left:
        shown.append(f"- … und {left} weitere" if german else f"- … and {left} more")
    return "\n".join(shown)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest].rstrip() + "…"
