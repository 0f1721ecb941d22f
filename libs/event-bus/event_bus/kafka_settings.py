"""How this process talks to Kafka: addresses, security, and every option of aiokafka whose default would bite.

Built by composition roots; read by the other kafka modules. `producer_options` and `consumer_options` are what
aiokafka gets, word for word; a test holds them to their values.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Settings of one connection. Times are seconds."""

    bootstrap_servers: str
    """host:port[,host:port…] of any brokers of the cluster."""
    client_id: str
    """Name of this process in the broker's logs and metrics."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """As the listener is configured. PLAINTEXT is for a broker on the same machine."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How a SASL listener checks the password."""
    sasl_username: str | None = None
    """Needed for SASL."""
    sasl_password: str | None = field(default=None, repr=False)
    """Needed for SASL; never printed."""
    ca_file: Path | None = None
    """Certificates (PEM) to check the brokers' with; the system's when it is not set."""
    certificate_file: Path | None = None
    """Certificate (PEM, with its chain) of this process, for a listener that asks its clients for one."""
    key_file: Path | None = None
    """Private key (PEM, not encrypted) of that certificate."""
    publish_timeout: float = 5.0
    """Longest time one `publish` takes. With idempotence a send would wait through a whole outage."""
    commit_interval: float = 0.2
    """Longest time between the end of a handler and the commit of its offset; a crash repeats at most that much."""
    session_timeout: float = 10.0
    """After this long without a heartbeat the group gives a dead member's partitions away."""
    heartbeat_interval: float = 3.0
    """A third of the session time-out, so that two may be lost."""
    watchdog_limit: float = 60.0
    """A partition that falls behind and makes no progress for this long ends the subscription."""
    watchdog_interval: float = 10.0
    """How often the watchdog asks for the end offsets."""


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """What producer, consumer and admin client have in common."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.client_id,
        "security_protocol": settings.security_protocol,
        "ssl_context": ssl_context(settings),
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password,
        "request_timeout_ms": 10_000,
        "retry_backoff_ms": 50,
    }


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """How connections are encrypted, None where they are not. Raises OSError (an SSLError is one) for files that are no
    certificates or keys."""
    if settings.security_protocol not in ("SSL", "SASL_SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.certificate_file is not None:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


def producer_options(settings: KafkaSettings) -> dict[str, Any]:
    """The durable producer: acknowledged by all in-sync replicas, written once, in order per partition."""
    return {
        **client_options(settings),
        "acks": "all",
        "enable_idempotence": True,
        # Records of one `publish` are queued before the sender wakes up, so nothing is gained by waiting for more.
        "linger_ms": 0,
        # One batch of a partition waits for the one before; 16 KiB, the default, would make it a few records each.
        "max_batch_size": 256 * 1024,
        "max_request_size": 1024 * 1024,
    }


def stream_producer_options(settings: KafkaSettings) -> dict[str, Any]:
    """The quick producer: acknowledged by one replica. What it loses or repeats is repaired by those who read it."""
    return {**producer_options(settings), "acks": 1, "enable_idempotence": False}


def consumer_options(settings: KafkaSettings, *, group: str) -> dict[str, Any]:
    """A member of a group: from the beginning, committing by hand, a dynamic member."""
    return {
        **reader_options(settings),
        "group_id": group,
        # A static member (with an instance id) would keep its partitions for the whole session time-out after a stop.
        "group_instance_id": None,
        "session_timeout_ms": round(settings.session_timeout * 1000),
        "heartbeat_interval_ms": round(settings.heartbeat_interval * 1000),
        "max_poll_interval_ms": 120_000,
        # How long the group waits in a rebalance for a member that still finishes its handlers.
        "rebalance_timeout_ms": 10_000,
        # Spreads the partitions of several topics evenly. (aiokafka's sticky one keeps state in its class: two
        # consumers of one process would mix.)
        "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
    }


def reader_options(settings: KafkaSettings) -> dict[str, Any]:
    """A consumer without a group, which reads what it is assigned from the beginning."""
    return {
        **client_options(settings),
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "fetch_max_wait_ms": 500,
        "max_poll_records": 200,
    }


def tail_options(settings: KafkaSettings) -> dict[str, Any]:
    """A consumer without a group, which reads what it is assigned from the end, also when its place is gone."""
    return {**reader_options(settings), "auto_offset_reset": "latest"}
