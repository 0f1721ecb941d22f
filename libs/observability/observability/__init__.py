"""Logging, metrics and the ops port, set up one way for all services.

Every process calls `configure_logging` once, first thing in its `__main__`, and runs one `OpsServer`. Code that learns
a credential while it runs (a Moodle token, a key of a tenant) hands it to `register_secret`, one of a
user to `masked_meanwhile`.
"""

from observability.embedded_server import EmbeddedServer
from observability.heartbeat import LOOP_LAG, Heartbeat
from observability.logging_setup import configure_logging
from observability.metrics import Meters, Metric
from observability.ops_server import OpsServer
from observability.redaction import masked_meanwhile, register_secret

__all__ = [
    "LOOP_LAG",
    "EmbeddedServer",
    "Heartbeat",
    "Meters",
    "Metric",
    "OpsServer",
    "configure_logging",
    "masked_meanwhile",
    "register_secret",
]
