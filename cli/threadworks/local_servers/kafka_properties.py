"""The configuration of a single Kafka broker for a laptop and for CI.

Used by `kafka` only. A cluster's configuration is its operator's business; this one is for one node without replicas.
"""

from collections.abc import Mapping
from pathlib import Path

LOGGING = """\
# Warnings and errors of the broker, on its standard output.
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c: %m%n
"""


def server_properties(
    *, port: int, controller_port: int, log_directory: Path, settings: Mapping[str, str] | None = None
) -> str:
    """The text of server.properties: broker and controller in one process, both on the loopback interface.

    `settings` are broker properties on top of ours, for example a shorter group.min.session.timeout.ms for tests.
    """
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(log_directory),
        # The internal topics want three replicas by default and would never be created on one node.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A group starts at once instead of waiting 3 s for further members.
        "group.initial.rebalance.delay.ms": "0",
        # A killed broker may register again only when it has been silent for this long (9 s by default).
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # Topics are declared (`threadworks topics apply`); a mistyped name is an error, not a new topic.
        "auto.create.topics.enable": "false",
        "num.network.threads": "2",
        "num.io.threads": "2",
        **(settings or {}),
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())
