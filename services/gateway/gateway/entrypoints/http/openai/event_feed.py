"""What other systems follow: `/v1/events`, for keys with the scope `events`.

An extension of ours. A surface of its own, because its keys are others: they can read no object over the API, and those
for the API alone cannot follow everything. The words are the dialect's.
"""

from gateway.application.authentication import Authentication
from gateway.application.event_feed.feed import EventFeed
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.openai.access import OpenAIDialect
from gateway.entrypoints.http.openai.operations.events import EventOperations


def event_feed_surface(authentication: Authentication, feed: EventFeed) -> Surface:
    """Return it."""
    dialect = OpenAIDialect(authentication, require_beta_header=False, scope="events")
    return Surface(dialect, [("/v1/events", {"GET": EventOperations(feed, dialect.tenant_of).stream})])
