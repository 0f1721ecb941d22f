"""What moves whole installations: `/v1/import` and `/v1/export`, for keys with the scope `admin`.

They are extensions of ours. A surface of their own, because their keys are others; the words are the dialect's.
"""

from gateway.application.use_cases import UseCases
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.idempotency import KeyedRequests
from gateway.entrypoints.http.openai.access import OpenAIDialect
from gateway.entrypoints.http.openai.operations.exports import ExportOperations
from gateway.entrypoints.http.openai.operations.imports import ImportOperations


def transfer_surface(cases: UseCases) -> Surface:
    """Return both."""
    return Surface(
        OpenAIDialect(cases.authentication, require_beta_header=False, scope="admin"),
        [
            ("/v1/import", {"POST": ImportOperations(cases.imports).create}),
            ("/v1/export", {"GET": ExportOperations(cases.exports).retrieve}),
        ],
        KeyedRequests(cases.idempotency),
    )
