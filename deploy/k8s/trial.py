"""Applies the overlays to the control plane that KUBECONFIG names, and tries rollouts and drains there.

Run by hand after a change of the manifests: `python deploy/k8s/trial.py`. It wants a cluster that may be taken apart,
with three nodes and the custom resources of Strimzi, KEDA and the Prometheus operator. kwok may play nodes and pods:
what is tried is what the control plane does with the manifests. Whatever such a cluster lacks is played here: volumes
for claims, and KEDA's first step. Ends with exit code 1 at the first thing that is not as it should be.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

HERE: Final = Path(__file__).parent
NAMESPACE: Final = "threadworks"
SERVICES: Final = ("gateway", "run-orchestrator", "moodle-tool")
PATIENCE: Final = "180s"

Object = dict[str, Any]


class Refused(Exception):
    """Something is not as it should be."""


def kubectl(*arguments: str, given: Object | None = None) -> str:
    """Run kubectl and return what it says. Raises Refused for an error and for a warning."""
    program = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [program, *arguments],
        input=json.dumps(given) if given else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or "warning" in done.stderr.lower():
        raise Refused(f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout


def get(kind: str) -> list[Object]:
    """All objects of a kind in our namespace."""
    items: list[Object] = json.loads(kubectl("get", kind, "--namespace", NAMESPACE, "--output", "json"))["items"]
    return items


def try_overlay(overlay: str) -> None:
    """Everything, on one overlay, in an empty cluster."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    # Volumes outlive their claims: ours, and that of the overlay.
    kubectl("delete", "persistentvolume", "--selector", "played=true", "--wait")
    kubectl("delete", "persistentvolume", "threadworks-files", "--ignore-not-found", "--wait")
    applied = kubectl("apply", "--server-side", "--kustomize", str(HERE / "overlays" / overlay))
    say(f"{overlay}: {len(applied.splitlines())} objects applied, no error, no warning")
    provide_volumes()
    if get("job"):
        kubectl("wait", "--for=condition=Complete", "job", "--all", *in_namespace(), f"--timeout={PATIENCE}")
    say(f"{overlay}: Jobs complete: {', '.join(sorted(each['metadata']['name'] for each in get('job')))}")
    for each in SERVICES:
        # What KEDA does first; where it does not scale, nothing changes.
        kubectl("scale", f"deployment/{each}", "--replicas=2", *in_namespace())
    wait_until_available()
    say(f"{overlay}: available: {', '.join(sorted(each['metadata']['name'] for each in get('deployment')))}")
    refuses_what_is_not_restricted()
    say(f"{overlay}: a pod that is not restricted is refused")
    for replicas in ("1", "0"):
        kubectl("scale", "deployment/operator", f"--replicas={replicas}", *in_namespace())
        kubectl("rollout", "status", "deployment/operator", *in_namespace(), f"--timeout={PATIENCE}")
    say(f"{overlay}: the operator's place was woken and put to sleep again")
    kubectl("apply", "--server-side", "--kustomize", str(HERE / "overlays" / overlay))
    say(f"{overlay}: applied a second time, also over the number of replicas that somebody else has set")
    try_rollout(overlay)
    try_drains(overlay)


def provide_volumes() -> None:
    """Play the provisioner of a cluster that has none: a volume for every claim that waits for one."""
    for claim in get("persistentvolumeclaim"):
        if claim["status"].get("phase") == "Bound" or claim["spec"].get("volumeName"):
            continue
        if claim["spec"].get("storageClassName") == "":
            continue  # it has its own
        name = claim["metadata"]["name"]
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"trial-{name}", "labels": {"played": "true"}},
            "spec": {
                "accessModes": claim["spec"]["accessModes"],
                "capacity": claim["spec"]["resources"]["requests"],
                "claimRef": {"namespace": NAMESPACE, "name": name},
                "hostPath": {"path": f"/trial/{name}"},
            },
        }
        kubectl("apply", "--server-side", "--filename", "-", given=volume)


def refuses_what_is_not_restricted() -> None:
    """The namespace enforces its level."""
    try:
        kubectl("run", "anything", "--image=anything", *in_namespace())
    except Refused as refusal:
        if 'violates PodSecurity "restricted' in str(refusal):
            return
        raise
    raise Refused("a pod that is not restricted was let in")


def try_rollout(overlay: str) -> None:
    """Replace all pods of the services while the budgets are watched."""
    with watched() as seen:
        for each in SERVICES:
            kubectl("rollout", "restart", f"deployment/{each}", *in_namespace())
        for each in SERVICES:
            kubectl("rollout", "status", f"deployment/{each}", *in_namespace(), f"--timeout={PATIENCE}")
    say(f"{overlay}: rolled out again; {check(seen, gateways=2)}")


def try_drains(overlay: str) -> None:
    """Drain one node after the other while the budgets are watched."""
    nodes = [each["metadata"]["name"] for each in json.loads(kubectl("get", "node", "--output", "json"))["items"]]
    with watched() as seen:
        for node in nodes:
            drain(node)
            wait_until_available()
            kubectl("uncordon", node)
    say(f"{overlay}: drained {', '.join(nodes)}; {check(seen, gateways=1)}")


def drain(node: str) -> None:
    """Empty a node. kubectl tells on stderr that a budget made it wait, which is no warning."""
    program = Path(sys.executable).with_name("kubectl")
    options = ["--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={PATIENCE}"]
    done = subprocess.run([program, "drain", node, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"drain {node}: {done.stderr}")


@contextmanager
def watched() -> Iterator[list[Object]]:
    """Collect every state that the budgets and the Deployments of the services go through inside."""
    seen: list[Object] = []
    program = Path(sys.executable).with_name("kubectl")
    with TemporaryDirectory() as folder:
        files = [Path(folder) / kind for kind in ("poddisruptionbudgets", "deployments")]
        watching = []
        for file in files:
            command = [str(program), "get", file.name, *in_namespace(), "--watch", "--output", "jsonpath={@}{'\\n'}"]
            with file.open("wb") as out:
                watching.append(subprocess.Popen(command, stdout=out))
        try:
            yield seen
            time.sleep(1)  # what has happened is told a moment later
        finally:
            for each in watching:
                each.terminate()
                each.wait()
            # The last line may have been cut.
            lines = [line for file in files for line in file.read_text().splitlines(keepends=True)]
            seen += [json.loads(line) for line in lines if line.endswith("\n")]


def check(seen: list[Object], *, gateways: int) -> str:
    """Hold what was seen to the budgets; `gateways` is how many of them there have to be at any time."""
    budgets = [each for each in seen if each["kind"] == "PodDisruptionBudget"]
    states = [each for each in seen if each["kind"] == "Deployment" and each["metadata"]["name"] == "gateway"]
    for each in budgets:
        healthy, desired = each["status"]["currentHealthy"], each["status"]["desiredHealthy"]
        if healthy < desired:
            raise Refused(f"the budget of {each['metadata']['name']} was broken: {healthy} of {desired}")
    fewest = min(each["status"].get("availableReplicas", 0) for each in states)
    if fewest < gateways:
        raise Refused(f"there were {fewest} gateways")
    return f"no budget was broken in {len(budgets)} states of them, and there were {fewest} gateways or more"


def wait_until_available() -> None:
    """All Deployments, with all of their pods."""
    kubectl("wait", "--for=condition=Available", "deployment", "--all", *in_namespace(), f"--timeout={PATIENCE}")
    for each in SERVICES:
        kubectl("rollout", "status", f"deployment/{each}", *in_namespace(), f"--timeout={PATIENCE}")


def in_namespace() -> tuple[str, str]:
    """The option that names our namespace."""
    return "--namespace", NAMESPACE


def say(line: str) -> None:
    """One line of the report."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        for each in sys.argv[1:] or ("local", "production"):
            try_overlay(each)
    except Refused as refusal:
        sys.exit(str(refusal))
