"""What a change of metadata makes of the metadata that an object has. Pure; used by the store for every kind of object.

OpenAI's reference says what metadata may hold, and not what a change does with the pairs that it does not name. What is
known of its servers comes from the same type on its conversations: pairs that were sent joined those that were there,
and leaving a pair out did not remove it (its developer forum, topic 1359708). So changes merge here too, and nobody
loses a pair that another part of an app has set. That topic is also about how to get rid of a pair: here an empty value
removes it, as in Stripe's API, and null removes all.
"""

from typing import Final

from run_engine.domain.objects import Metadata
from run_engine.errors import TooMuchMetadata

MOST_PAIRS: Final = 16


def merged(before: Metadata, given: Metadata | None) -> Metadata:
    """The metadata after a change; `given` None empties it. Raises `TooMuchMetadata`."""
    if given is None:
        return {}
    after = {key: value for key, value in {**before, **given}.items() if value or key not in given}
    if len(after) > MOST_PAIRS:
        raise TooMuchMetadata(MOST_PAIRS, len(after))
    return after
