"""Rules about who may talk to whom."""

from collections.abc import Iterator
from typing import Any

from manifests_under_test.rendered import NAME, SERVICES, Breaking, Manifests, Object, Rule, Workload

DNS = "DNS"
DESTINATIONS = {
    "gateway": {"postgresql", "kafka"},
    "run-orchestrator": {"postgresql", "kafka", "model"},
    "moodle-tool": {"kafka", "moodle"},
    "operator": {"postgresql", "kafka"},
    "migrate": {"postgresql"},
    "topics": {"kafka"},
    "postgresql": set(),
    "kafka": set(),
    "model-simulator": set(),
    "moodle-simulator": set(),
}
"""Where each may go, beside DNS. With an object store, gateways and orchestrators reach that as well."""
PORTS = {
    "local": {"postgresql": 5432, "kafka": 9092, "model": 8080, "moodle": 8080},
    "production": {"postgresql": 5432, "kafka": 9093, "model": 443, "moodle": 443, "object-store": 443},
}


def nothing_comes_in_or_goes_out_unless_it_is_allowed(manifests: Manifests) -> Iterator[str]:
    denying = [
        each["spec"]
        for each in manifests.of("NetworkPolicy")
        if each["spec"]["podSelector"] == {} and "ingress" not in each["spec"] and "egress" not in each["spec"]
    ]
    if [sorted(each["policyTypes"]) for each in denying] != [["Egress", "Ingress"]]:
        yield "there is no default"


def pods_reach_what_they_need_and_nothing_else(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        expected = {DNS, *DESTINATIONS[each.name]}
        if each.name in ("gateway", "run-orchestrator") and manifests.overlay == "production":
            expected.add("object-store")
        if (reached := set(_egress(manifests, each))) != expected:
            yield f"{each.name} reaches {sorted(reached)}"


def moodle_tool_does_not_reach_postgresql(manifests: Manifests) -> Iterator[str]:
    tool = manifests.workload("moodle-tool")
    for policy in _selecting(manifests, tool, "Egress"):
        for rule in policy["spec"].get("egress", []):
            if not rule.get("ports") or not rule.get("to"):
                yield f"{policy['metadata']['name']} lets it go anywhere"
            if any(port.get("port") in (5432, "postgresql") for port in rule.get("ports", [])):
                yield f"{policy['metadata']['name']} lets it reach PostgreSQL"


def every_way_out_names_a_place_and_one_port(manifests: Manifests) -> Iterator[str]:
    for policy in manifests.of("NetworkPolicy"):
        name = policy["metadata"]["name"]
        for rule in policy["spec"].get("egress", []):
            if not rule.get("to") or {} in rule["to"]:
                yield f"{name}: to anywhere"
            wanted = [53, 53] if name == "to-dns" else [PORTS[manifests.overlay].get(name.removeprefix("to-"))]
            if [port.get("port") for port in rule.get("ports", [])] != wanted:
                yield f"{name}: ports {rule.get('ports')}"


def the_public_internet_is_not_the_network_of_the_cluster(manifests: Manifests) -> Iterator[str]:
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
    for policy in manifests.of("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for place in rule.get("to", []):
                block = place.get("ipBlock", {})
                if block.get("cidr") == "0.0.0.0/0" and not private <= set(block.get("except", [])):
                    yield policy["metadata"]["name"]


def anyone_reaches_the_gateway_and_nobody_else(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for policy in _selecting(manifests, each, "Ingress"):
            for rule in policy["spec"].get("ingress", []):
                ports = [port["port"] for port in rule.get("ports", [])]
                if not rule.get("from") and (each.name, ports) != ("gateway", ["http"]):
                    yield f"{policy['metadata']['name']}: anyone reaches {each.name} {ports}"
    if not any(_open_to_all(policy) for policy in _selecting(manifests, manifests.workload("gateway"), "Ingress")):
        yield "nobody reaches the gateway"


def ops_ports_are_reached_from_the_monitoring_only(manifests: Manifests) -> Iterator[str]:
    allowed = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    for each in manifests.services():
        sources = [
            rule.get("from")
            for policy in _selecting(manifests, each, "Ingress")
            for rule in policy["spec"].get("ingress", [])
            if not rule.get("ports") or {"ops", 9090} & {port["port"] for port in rule["ports"]}
        ]
        if sources != ([allowed] if manifests.of("ServiceMonitor") else []):
            yield f"{each.name}: {sources}"


def servers_of_a_trial_let_in_those_that_need_them(manifests: Manifests) -> Iterator[str]:
    for server, need in (("postgresql", "postgresql"), ("kafka", "kafka"), ("model-simulator", "model")):
        if manifests.overlay != "local":
            return
        policies = _selecting(manifests, manifests.workload(server), "Ingress")
        sources = [rule.get("from") for each in policies for rule in each["spec"].get("ingress", [])]
        if sources != [[{"podSelector": {"matchLabels": {f"reaches-{need}": "true"}}}]]:
            yield f"{server}: {sources}"


def _selecting(manifests: Manifests, workload: Workload, direction: str) -> list[Object]:
    return [
        policy
        for policy in manifests.of("NetworkPolicy")
        if direction in policy["spec"]["policyTypes"] and _selects(policy["spec"]["podSelector"], workload.labels)
    ]


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )


def _egress(manifests: Manifests, workload: Workload) -> Iterator[str]:
    """The names of the policies that let it out, which are the names of the places."""
    for policy in _selecting(manifests, workload, "Egress"):
        if policy["spec"].get("egress"):
            name = policy["metadata"]["name"].removeprefix("to-")
            yield DNS if name == "dns" else name


def _open_to_all(policy: Object) -> bool:
    return any(not rule.get("from") for rule in policy["spec"].get("ingress", []))


def _allow(manifests: Manifests, name: str, labels: dict[str, str], **spec: Any) -> None:
    kinds = [kind.title() for kind in spec]
    manifests.objects.append(
        {
            "kind": "NetworkPolicy",
            "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": kinds, **spec},
        }
    )


def _policy(manifests: Manifests, name: str) -> Any:
    return manifests.one("NetworkPolicy", name)["spec"]


_TO_POSTGRESQL = [{"to": [{"podSelector": {}}], "ports": [{"port": 5432}]}]

RULES: list[tuple[Rule, list[Breaking]]] = [
    (
        nothing_comes_in_or_goes_out_unless_it_is_allowed,
        [
            lambda m: m.objects.remove(m.one("NetworkPolicy", "default-deny")),
            lambda m: _policy(m, "default-deny").update(policyTypes=["Ingress"]),
            lambda m: _policy(m, "default-deny").update(egress=[{}]),
        ],
    ),
    (
        pods_reach_what_they_need_and_nothing_else,
        [
            lambda m: m.workload("gateway").labels.update({"reaches-moodle": "true"}),
            lambda m: m.workload("run-orchestrator").labels.pop("reaches-model"),
            lambda m: _allow(m, "to-somewhere", {NAME: "moodle-tool"}, egress=[{}]),
        ],
    ),
    (
        moodle_tool_does_not_reach_postgresql,
        [
            lambda m: m.workload("moodle-tool").labels.update({"reaches-postgresql": "true"}),
            lambda m: _allow(m, "to-more", {NAME: "moodle-tool"}, egress=_TO_POSTGRESQL),
            lambda m: _allow(m, "to-all", {NAME: "moodle-tool"}, egress=[{"to": [{"podSelector": {}}]}]),
        ],
    ),
    (
        every_way_out_names_a_place_and_one_port,
        [
            lambda m: _policy(m, "to-kafka")["egress"][0].pop("to"),
            lambda m: _policy(m, "to-kafka")["egress"][0].pop("ports"),
            lambda m: _policy(m, "to-model")["egress"][0]["ports"].append({"port": 22}),
        ],
    ),
    (
        the_public_internet_is_not_the_network_of_the_cluster,
        [lambda m: _policy(m, "to-model")["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})],
    ),
    (
        anyone_reaches_the_gateway_and_nobody_else,
        [
            lambda m: m.objects.remove(m.one("NetworkPolicy", "to-gateway")),
            lambda m: _allow(m, "in", {NAME: "moodle-tool"}, ingress=[{"ports": [{"port": "ops"}]}]),
            lambda m: _policy(m, "to-gateway")["ingress"][0]["ports"].append({"port": "ops"}),
        ],
    ),
    (
        ops_ports_are_reached_from_the_monitoring_only,
        [
            lambda m: _allow(
                m, "in", {NAME: SERVICES[0]}, ingress=[{"from": [{"podSelector": {}}], "ports": [{"port": 9090}]}]
            ),
            lambda m: _allow(m, "in", {NAME: SERVICES[1]}, ingress=[{"from": [{"podSelector": {}}]}]),
        ],
    ),
    (
        servers_of_a_trial_let_in_those_that_need_them,
        [
            lambda m: _policy(m, "into-postgresql")["ingress"][0].update({"from": [{"podSelector": {}}]}),
            lambda m: m.objects.remove(m.one("NetworkPolicy", "into-kafka")),
        ],
    ),
]
