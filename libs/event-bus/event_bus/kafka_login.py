"""Whether a broker takes this process for whom it says it is. Asked once, when a process starts,
and by the operator's commands when Kafka does not answer them.

The client reports a broker that refuses a password, and one that nobody has started yet, with the same error, and goes
on trying for ever. The one is worth waiting for; the other is a setting that only a person can mend.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias

import structlog
from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from event_bus.kafka_settings import KafkaSettings, client_options

log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0


Wrong: TypeAlias = Literal["security_protocol", "sasl_mechanism", "sasl_password", "ca_file", "certificate_file"]
"""The field of `KafkaSettings` that has to be mended."""


class LoginRefused(Exception):
    """A broker answers, and does not let this process in. The text says why, and holds no secret."""

    def __init__(self, wrong: Wrong, reason: str) -> None:
        super().__init__(reason)
        self.wrong = wrong


async def require_login(settings: KafkaSettings, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Return once a broker has let this process in, however long it takes to be there. Raises `LoginRefused`."""
    while not await _let_in(settings):
        await pause(_PAUSE_SECONDS)


async def refuse_login(settings: KafkaSettings) -> None:
    """Raise `LoginRefused` if that is why nothing goes; for commands that do not wait, after their first failure."""
    await _let_in(settings)


async def _let_in(settings: KafkaSettings) -> bool:
    options = client_options(settings)
    del options["bootstrap_servers"], options["retry_backoff_ms"]
    for address in settings.bootstrap_servers.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            connection = await create_conn(host, int(port), **options)
        except (SaslAuthenticationFailed, IllegalSaslStateError):
            raise LoginRefused("sasl_password", f"{address} refuses user name or password") from None
        except UnsupportedSaslMechanismError:
            raise LoginRefused(
                "sasl_mechanism", f"{address} does not know the mechanism {settings.sasl_mechanism}"
            ) from None
        except ssl.SSLCertVerificationError as error:
            message = f"the certificate of {address} is not trusted: {error.verify_message}"
            raise LoginRefused("ca_file", message) from None
        except ssl.SSLError as error:
            raise _tls_refusal(address, error) from None
        except (OSError, TimeoutError, KafkaError) as error:
            if isinstance(error.__cause__, ssl.SSLError):
                raise _tls_refusal(address, error.__cause__) from None
            log.debug("no broker yet", action="kafka_waiting", broker=address, error=type(error).__name__)
            continue
        try:
            await connection.send(MetadataRequest([]))
        except (OSError, TimeoutError, KafkaError, ssl.SSLError):
            continue
        finally:
            connection.close()
        return True
    return False


def _tls_refusal(address: str, error: ssl.SSLError) -> LoginRefused:
    if "CERTIFICATE" in (error.reason or ""):
        return LoginRefused("certificate_file", f"{address} wants a certificate that it trusts ({error.reason})")
    return LoginRefused("security_protocol", f"{address} does not speak TLS ({error.reason})")
