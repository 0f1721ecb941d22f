"""An overlay, rendered by the real kustomize (the one inside of kubectl), with ways to find things in it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "run-orchestrator", "moodle-tool")
ENGINE = ("gateway", "run-orchestrator")
OVERLAYS = ("local", "production")
NAME = "app.kubernetes.io/name"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that makes pods."""

    owner: Object
    template: Object

    @property
    def name(self) -> str:
        return str(self.owner["metadata"]["name"])

    @property
    def pod(self) -> Object:
        return self.template["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.template["metadata"]["labels"]

    @property
    def containers(self) -> list[Object]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]


class Manifests:
    """The objects of one overlay."""

    def __init__(self, overlay: str, objects: list[Object]) -> None:
        self.overlay = overlay
        self.objects = objects

    def of(self, kind: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        """The object of that name, or of that name with a hash of its content."""
        found = [each for each in self.of(kind) if each["metadata"]["name"] == name] or [
            each for each in self.of(kind) if name and each["metadata"]["name"].rpartition("-")[0] == name
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} × {kind}/{name}")
        return found[0]

    def has(self, kind: str, name: str) -> bool:
        try:
            self.one(kind, name)
        except LookupError:
            return False
        return True

    def workload(self, name: str) -> Workload:
        return next(each for each in self.workloads() if each.name == name)

    def workloads(self) -> list[Workload]:
        kinds = ("Deployment", "StatefulSet", "Job")
        return [Workload(each, each["spec"]["template"]) for kind in kinds for each in self.of(kind)]

    def services(self) -> list[Workload]:
        return [self.workload(name) for name in SERVICES]

    def settings(self, container: Object) -> dict[str, Any]:
        """What the container's environment is: text, or the reference to a Secret's key."""
        values: dict[str, Any] = {}
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                values |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        for each in container.get("env", []):
            values[each["name"]] = each.get("value", each.get("valueFrom"))
        return values


Rule = Callable[[Manifests], Iterator[str]]
Breaking = Callable[[Manifests], None]


def render(folder: Path) -> list[Object]:
    """Run kustomize on a folder."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise AssertionError(f"kustomize on {folder.name}: {done.stderr}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def main_container(workload: Workload) -> Object:
    """The one that is not there for the others."""
    return workload.pod["containers"][0]
