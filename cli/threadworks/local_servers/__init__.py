"""Starts PostgreSQL and Apache Kafka on this machine without Docker and without an installed Java or server.

Used by `threadworks run`, `threadworks up` and the test fixtures (the root conftest.py). Nothing happens at import.
"""

from threadworks.local_servers.data_directory import DataDirectoryInUseError
from threadworks.local_servers.kafka import KafkaStartError, LocalKafka
from threadworks.local_servers.postgres import LocalPostgres, PostgresStartError

__all__ = ["DataDirectoryInUseError", "KafkaStartError", "LocalKafka", "LocalPostgres", "PostgresStartError"]
