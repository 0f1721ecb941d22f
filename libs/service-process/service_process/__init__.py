"""How a service is a process: its settings, Kafka, the ops port, signals, the drain, the exit code.

Each service's `__main__` calls `load_settings` and `run_process`; what is particular to a service is in its bootstrap.
"""

from service_process.kafka_connection import Brokers, KafkaConnection, ReadableFile
from service_process.process import Service, run_process, serve
from service_process.settings import ProcessSettings, load_settings

__all__ = [
    "Brokers",
    "KafkaConnection",
    "ProcessSettings",
    "ReadableFile",
    "Service",
    "load_settings",
    "run_process",
    "serve",
]
