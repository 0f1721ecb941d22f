"""How a process reaches Kafka: brokers, encryption, and who it is. For all services and the operator's commands."""

import re
import ssl
from pathlib import Path
from typing import Annotated, Literal, Self

from event_bus.kafka_settings import KafkaSettings, ssl_context
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "THREADWORKS_"


def readable_file(path: Path) -> Path:
    """Return `path`, which has to be a file that this process may read. Raises ValueError that says what is wrong."""
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None


def listed_brokers(brokers: str) -> str:
    """Return `brokers`, which has to be host:port[,host:port…]. Raises ValueError: the client would wait for ever."""
    for each in brokers.split(","):
        host, _, port = each.strip().rpartition(":")
        if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
            raise ValueError("it is no list of host:port, separated by commas")
    return brokers


ReadableFile = Annotated[Path, AfterValidator(readable_file)]
Brokers = Annotated[str, AfterValidator(listed_brokers)]


class KafkaConnection(BaseSettings):
    """Brokers of the cluster, and as whom to speak with them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    kafka_bootstrap: Brokers = Field(description="the brokers of the Kafka cluster, host:port[,host:port…]")
    """Brokers of the cluster, `host:port[,host:port…]`. No default: a wrong guess would wait for ever."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """As the listener is configured. PLAINTEXT suits a broker on the same machine; SSL and SASL_SSL encrypt and check
    the brokers' certificates and host names."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How a SASL listener checks the password. SCRAM never sends it; PLAIN does."""
    kafka_sasl_username: str | None = None
    """Who this process is; needed for SASL."""
    kafka_sasl_password: SecretStr | None = None
    """Its password; needed for SASL. Secret."""
    kafka_ca_file: ReadableFile | None = None
    """PEM file of the certificates that brokers' certificates are checked with; the system's when not set."""
    kafka_certificate_file: ReadableFile | None = None
    """PEM file of this process's own certificate, with its chain, for a listener that asks clients for one."""
    kafka_key_file: ReadableFile | None = None
    """PEM file of that certificate's private key, not encrypted. Secret, as a file that only this process may read."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        protocol = self.kafka_security_protocol
        if protocol.startswith("SASL") and not (self.kafka_sasl_username and self.kafka_sasl_password):
            message = "needs THREADWORKS_KAFKA_SASL_USERNAME and THREADWORKS_KAFKA_SASL_PASSWORD"
            raise ValueError(f"THREADWORKS_KAFKA_SECURITY_PROTOCOL: {protocol} {message}")
        files = (self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)
        if not protocol.endswith("SSL") and any(files):
            message = "files of certificates are for SSL and SASL_SSL; without them nothing would be encrypted"
            raise ValueError(f"THREADWORKS_KAFKA_SECURITY_PROTOCOL: {protocol} was chosen, but {message}")
        if (self.kafka_certificate_file is None) != (self.kafka_key_file is None):
            raise ValueError(
                "THREADWORKS_KAFKA_CERTIFICATE_FILE and THREADWORKS_KAFKA_KEY_FILE belong together: set both or neither"
            )
        self._check_certificates()
        return self

    def _check_certificates(self) -> None:
        try:
            ssl_context(self.kafka_settings("settings"))
        except ssl.SSLError as error:
            given = ("CA_FILE", self.kafka_ca_file), ("CERTIFICATE_FILE", self.kafka_certificate_file)
            names = " and ".join(f"THREADWORKS_KAFKA_{name}" for name, path in given if path is not None)
            reason = error.reason or "not PEM"
            raise ValueError(f"{names}: these are no certificates that can be used ({reason})") from None

    def kafka_settings(self, client_id: str) -> KafkaSettings:
        """Return what the event bus wants to know; `client_id` is the name of this process on the brokers."""
        password = self.kafka_sasl_password
        return KafkaSettings(
            bootstrap_servers=self.kafka_bootstrap,
            client_id=client_id,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=password.get_secret_value() if password else None,
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
        )
