"""A Kubernetes control plane on this machine without containers, for `trial.py`: needs Go 1.26 and openssl.

`python deploy/k8s/control_plane.py start` builds what is missing (kube-apiserver, controller manager, scheduler and
etcd from the Go modules they are; a quarter of an hour the first time), starts it with three nodes whose pods kwok
plays, gives it the custom resources that our manifests use, and prints the KUBECONFIG to export. `stop` ends it.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
HOME: Final = Path(os.environ.get("THREADWORKS_CONTROL_PLANE", "~/.cache/threadworks-control-plane")).expanduser()
KUBERNETES, ETCD, KWOK = "1.34.2", "v3.6.5", "v0.8.0"
PROGRAMS: Final = {
    "kube-apiserver": ("k8s.io/kubernetes/cmd/kube-apiserver/app", "cli.Run(app.NewAPIServerCommand())"),
    "kube-controller-manager": (
        "k8s.io/kubernetes/cmd/kube-controller-manager/app",
        "cli.Run(app.NewControllerManagerCommand())",
    ),
    "kube-scheduler": ("k8s.io/kubernetes/cmd/kube-scheduler/app", "cli.Run(app.NewSchedulerCommand())"),
}
API, CLIENTS, PEERS = 16443, 12379, 12380
STAGES: Final = (
    "node/fast/node-initialize",
    "node/heartbeat/node-heartbeat",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
)


def go(*arguments: str, folder: Path | None = None, **environment: str) -> str:
    """Run the go command and return what it says."""
    done = subprocess.run(
        ["go", *arguments],  # noqa: S607 - the contributor's own
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def modules() -> Path:
    """Where the go command keeps the modules it has loaded."""
    return Path(go("env", "GOMODCACHE").strip())


def build() -> None:
    """Build the programs that are not there yet."""
    binaries = HOME / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    if not all((binaries / name).exists() for name in PROGRAMS):
        go("mod", "download", f"k8s.io/kubernetes@v{KUBERNETES}")
        released = (modules() / f"k8s.io/kubernetes@v{KUBERNETES}/go.mod").read_text()
        # The parts of Kubernetes are modules of their own, with the same version but for its first number.
        parts = {word for word in released.split() if word.startswith("k8s.io/") and f"{word} => ./staging" in released}
        staged = "".join(f"replace {part} => {part} v0.{KUBERNETES[2:]}\n" for part in sorted(parts))
        module = f"module control\n\ngo 1.25\n\nrequire k8s.io/kubernetes v{KUBERNETES}\n\n{staged}"
        imports = 'import (\n\t"os"\n\n\t"k8s.io/component-base/cli"\n\t"{}"\n)\n\nfunc main() {{ os.Exit({}) }}\n'
        for name, (package, call) in PROGRAMS.items():
            compile_one(name, module, "package main\n\n" + imports.format(package, call))
    if not (binaries / "etcd").exists():
        module = f"module control\n\ngo 1.25\n\nrequire go.etcd.io/etcd/server/v3 {ETCD}\n"
        imports = (
            'import (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n'
        )
        compile_one("etcd", module, "package main\n\n" + imports)
    if not (binaries / "kwok").exists():
        go("install", f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}", GOBIN=str(binaries))


def compile_one(name: str, module: str, program: str) -> None:
    """Build one program from its main file."""
    folder = HOME / "source" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text(module)
    (folder / "main.go").write_text(program)
    go("mod", "tidy", folder=folder)
    go("build", "-o", str(HOME / "bin" / name), ".", folder=folder)


def start() -> None:
    """Start everything in a new folder; what is there already is ended first."""
    stop()
    run = HOME / "run"
    subprocess.run(["rm", "-rf", run], check=True)  # noqa: S607
    run.mkdir(parents=True)
    run.chmod(0o700)
    for command in (["genrsa", "-out", "sa.key"], ["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"]):
        subprocess.run(["openssl", *command], cwd=run, check=True, capture_output=True)  # noqa: S607
    token = secrets.token_hex(16)
    (run / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (run / "kubeconfig").write_text(json.dumps(kubeconfig(token)))
    os.environ["KUBECONFIG"] = str(run / "kubeconfig")
    spawn("etcd", etcd_options(run))
    spawn("kube-apiserver", api_options(run))
    wait_for_api()
    account = ["--service-account-private-key-file=sa.key", f"--root-ca-file={run}/certs/apiserver.crt"]
    for name, options in (("kube-controller-manager", account), ("kube-scheduler", [])):
        spawn(name, ["--kubeconfig=kubeconfig", "--leader-elect=false", *options])
    folder = modules() / f"sigs.k8s.io/kwok@{KWOK}/kustomize/stage"
    (run / "stages.yaml").write_text("\n---\n".join((folder / f"{name}.yaml").read_text() for name in STAGES))
    spawn("kwok", ["--kubeconfig=kubeconfig", "--manage-all-nodes=true", "--config=stages.yaml"])
    apply([node(number) for number in (1, 2, 3)] + [definition(path) for path in sorted(HERE.glob("schemas/*.json"))])
    print(f"export KUBECONFIG={run}/kubeconfig")


def kubeconfig(token: str) -> dict[str, Any]:
    """How kubectl and the others reach the API server."""
    cluster = {"server": f"https://127.0.0.1:{API}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "trial", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "trial", "context": {"cluster": "trial", "user": "admin"}}],
        "current-context": "trial",
    }


def etcd_options(run: Path) -> list[str]:
    """One member, on this machine alone."""
    clients, peers = f"http://127.0.0.1:{CLIENTS}", f"http://127.0.0.1:{PEERS}"
    return [
        f"--data-dir={run}/etcd",
        *(f"--{name}-client-urls={clients}" for name in ("listen", "advertise")),
        *(f"--{name}-peer-urls={peers}" for name in ("listen", "initial-advertise")),
        f"--initial-cluster=default={peers}",
    ]


def api_options(run: Path) -> list[str]:
    """Only our token, only this machine."""
    return [
        f"--etcd-servers=http://127.0.0.1:{CLIENTS}",
        f"--secure-port={API}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={run}/certs",
        "--service-account-key-file=sa.pub",
        "--service-account-signing-key-file=sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
    ]


def spawn(name: str, options: list[str]) -> None:
    """Start a program in a session of its own, with a log and a file with its process id."""
    run = HOME / "run"
    with (run / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [HOME / "bin" / name, *options], cwd=run, stdout=log, stderr=log, start_new_session=True
        )
    (run / f"{name}.pid").write_text(str(process.pid))


def wait_for_api() -> None:
    """Return when the API server is ready; it takes some seconds."""
    kubectl = Path(sys.executable).with_name("kubectl")
    for _ in range(120):
        if subprocess.run([kubectl, "get", "--raw", "/readyz"], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.5)
    sys.exit(f"the API server is not ready: see {HOME}/run/kube-apiserver.log")


def apply(objects: list[dict[str, Any]]) -> None:
    """Server-side apply."""
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [str(kubectl), "apply", "--server-side", "--filename", "-"]
    subprocess.run(command, input=yaml.safe_dump_all(objects), text=True, check=True, stdout=subprocess.DEVNULL)


def node(number: int) -> dict[str, Any]:
    """A node in a zone of its own."""
    room = {"cpu": "16", "memory": "64Gi", "pods": "110"}
    labels = {
        "kubernetes.io/hostname": f"node-{number}",
        "topology.kubernetes.io/zone": f"zone-{number}",
        "kubernetes.io/os": "linux",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{number}", "labels": labels},
        "status": {"allocatable": room, "capacity": room},
    }


def definition(path: Path) -> dict[str, Any]:
    """A custom resource whose structure is the schema that our manifests are checked with."""
    group, version, kind = path.stem.split("_")
    plural = f"{kind.lower()}s"
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": structural(path)}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [served],
        },
    }


def structural(path: Path) -> dict[str, Any]:
    """The schema as an API server takes it: unknown fields are refused there without being told."""
    schema: dict[str, Any] = json.loads(path.read_text())
    for name in ("apiVersion", "kind"):
        schema["properties"][name] = {"type": "string"}
    structure: dict[str, Any] = _structural(schema)
    structure["properties"]["metadata"] = {"type": "object"}
    return structure


def _structural(schema: Any) -> Any:
    if schema.get("type") == ["integer", "string"]:
        return {"x-kubernetes-int-or-string": True}
    found = {key: value for key, value in schema.items() if key not in ("properties", "items", "additionalProperties")}
    if "properties" in schema:
        found["properties"] = {name: _structural(each) for name, each in schema["properties"].items()}
    elif isinstance(schema.get("additionalProperties"), dict):
        found["additionalProperties"] = _structural(schema["additionalProperties"])
    elif schema.get("type") == "object" and "additionalProperties" not in schema:
        found["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in schema:
        found["items"] = _structural(schema["items"])
    return found


def stop() -> None:
    """End what `start` has started."""
    for path in (HOME / "run").glob("*.pid"):
        try:
            os.kill(int(path.read_text()), signal.SIGTERM)
        except ProcessLookupError:
            continue
        path.unlink()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            build()
            start()
        case ["stop"]:
            stop()
        case _:
            sys.exit("python deploy/k8s/control_plane.py start | stop")
