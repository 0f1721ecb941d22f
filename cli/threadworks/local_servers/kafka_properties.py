"""The configuration of a single Kafka broker for a laptop and for CI.

Used by `kafka` and `kafka_container`. A cluster's configuration is its operator's business; this one is for one node
without replicas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTAINER_CONTROLLER_PORT = 9093
"""Inside a container, where nothing else listens."""

LOGGING = """\
# Warnings and errors of the broker, on its standard output.
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c: %m%n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A further address of the broker, besides the plain one: for trying out how clients log in and encrypt."""

    name: str
    """In capitals; its own settings begin with `listener.name.<name in small letters>.`"""
    security_protocol: str
    """SSL, SASL_SSL or SASL_PLAINTEXT."""
    port: int

    @property
    def address(self) -> str:
        """As the broker is told to listen."""
        return f"{self.name}://127.0.0.1:{self.port}"


def server_properties(
    *,
    port: int,
    controller_port: int,
    log_directory: str,
    listeners: Sequence[Listener] = (),
    settings: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Broker and controller in one process, both on the loopback interface.

    `listeners` are there besides the plain one. `settings` are broker properties on top of ours, for example a shorter
    group.min.session.timeout.ms for tests.
    """
    plain, further = f"PLAINTEXT://127.0.0.1:{port}", [listener.address for listener in listeners]
    protocols = [f"{listener.name}:{listener.security_protocol}" for listener in listeners]
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": ",".join([plain, *further, f"CONTROLLER://127.0.0.1:{controller_port}"]),
        "advertised.listeners": ",".join([plain, *further]),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", *protocols]),
        "log.dirs": log_directory,
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


def properties_text(properties: Mapping[str, str]) -> str:
    """The same as a properties file."""
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def container_environment(*, port: int, host: str) -> dict[str, str]:
    """The same as environment variables of the apache/kafka image, published as `port` of `host`."""
    properties = server_properties(port=port, controller_port=CONTAINER_CONTROLLER_PORT, log_directory="/tmp/kafka")  # noqa: S108 - inside the container
    del properties["controller.quorum.bootstrap.servers"]
    properties |= {
        "controller.quorum.voters": f"1@localhost:{CONTAINER_CONTROLLER_PORT}",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:{CONTAINER_CONTROLLER_PORT}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
    }
    return {"KAFKA_" + name.upper().replace(".", "_"): value for name, value in properties.items()}
