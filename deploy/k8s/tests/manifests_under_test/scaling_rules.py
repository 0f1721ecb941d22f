"""Rules about KEDA, Strimzi and the monitoring, for the overlay that has them."""

from collections.abc import Iterator
from typing import Any

from message_contracts import catalogue
from run_orchestrator.entrypoints.consumers import COMMAND_TOPICS, COMMANDS_GROUP

from manifests_under_test.rendered import SERVICES, Breaking, Manifests, Object, Rule, main_container

LAG = {
    "run-orchestrator": {(COMMANDS_GROUP, topic) for topic in COMMAND_TOPICS},
    "moodle-tool": {("tool-service.moodle", catalogue.tool_calls_topic("moodle").name)},
}
"""What each consumer is scaled by."""
PARTITIONS = {topic.name: topic.partitions for topic in [*catalogue.topics(), catalogue.tool_calls_topic("moodle")]}


def consumers_are_scaled_by_a_lag_of_ten_on_their_own_topics(manifests: Manifests) -> Iterator[str]:
    for name, expected in LAG.items():
        triggers = _scaled(manifests, name)["triggers"]
        if {(each["metadata"].get("consumerGroup"), each["metadata"].get("topic")) for each in triggers} != expected:
            yield f"{name}: groups and topics"
        for each in triggers:
            if each["type"] != "kafka" or each["metadata"].get("lagThreshold") != "10":
                yield f"{name}: {each['type']} {each['metadata'].get('lagThreshold')}"


def there_are_never_more_consumers_than_partitions(manifests: Manifests) -> Iterator[str]:
    for name, consumed in LAG.items():
        if _scaled(manifests, name)["maxReplicaCount"] != min(PARTITIONS[topic] for _, topic in consumed):
            yield name
    # One gateway more than usual runs for a moment of each rollout, and each wants a partition of the deltas.
    if _scaled(manifests, "gateway")["maxReplicaCount"] + 1 > PARTITIONS["threadworks.run-deltas.v1"]:
        yield "gateway"


def replicas_go_slowly_and_two_stay(manifests: Manifests) -> Iterator[str]:
    for name in SERVICES:
        scaled = _scaled(manifests, name)
        behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        if behavior["scaleDown"]["stabilizationWindowSeconds"] != 300:
            yield f"{name}: stabilization"
        if scaled["minReplicaCount"] != 2:
            yield f"{name}: {scaled['minReplicaCount']} stay"


def the_number_of_replicas_is_kedas(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        if "replicas" in each.owner["spec"]:
            yield each.name


def keda_signs_in_to_the_kafka_of_the_services(manifests: Manifests) -> Iterator[str]:
    bootstrap = manifests.one("ConfigMap", "process-settings")["data"]["THREADWORKS_KAFKA_BOOTSTRAP"]
    for name in LAG:
        for each in _scaled(manifests, name)["triggers"]:
            metadata = each["metadata"]
            if metadata.get("bootstrapServers") != bootstrap:
                yield f"{name}: another Kafka"
            if (metadata.get("sasl"), metadata.get("tls")) != ("scram_sha512", "enable"):
                yield f"{name}: sasl, tls"
            if not manifests.has("TriggerAuthentication", each.get("authenticationRef", {}).get("name", "")):
                yield f"{name}: authenticationRef"
    named = {each["parameter"]: each for each in _authentication(manifests)["secretTargetRef"]}
    if not manifests.has("KafkaUser", named.get("password", {}).get("name", "")):
        yield "KEDA's user is none of Kafka's"


def topics_are_those_of_the_contracts(manifests: Manifests) -> Iterator[str]:
    found = {each["metadata"]["name"]: each["spec"]["partitions"] for each in manifests.of("KafkaTopic")}
    if found != PARTITIONS:
        yield f"{sorted(found.items() ^ PARTITIONS.items())}"
    for each in manifests.of("KafkaTopic"):
        if each["spec"]["replicas"] != 3 or each["spec"]["config"].get("min.insync.replicas") != 2:
            yield f"{each['metadata']['name']}: replicas"


def users_of_kafka_may_do_named_things_to_named_things(manifests: Manifests) -> Iterator[str]:
    for user, right in _rights(manifests):
        resource = right["resource"]
        if resource.get("patternType") != "literal" or resource.get("name", "*") == "*":
            yield f"{user}: {resource}"
        if resource["type"] not in ("topic", "group"):
            yield f"{user}: {resource['type']}"
        for operation in set(right["operations"]) - {"Read", "Write", "Describe"}:
            yield f"{user}: {operation} {resource['name']}"
    for each in manifests.of("KafkaUser"):
        if each["spec"]["authentication"] != {"type": "scram-sha-512"}:
            yield f"{each['metadata']['name']}: authentication"


def users_of_kafka_write_and_read_what_the_contracts_say(manifests: Manifests) -> Iterator[str]:
    topics = [*catalogue.topics(), catalogue.tool_calls_topic("moodle")]
    # A relay publishes older events of its runs whoever wrote them: gateway and orchestrator write the same topics.
    engine = {topic.name for topic in topics if {"gateway", "run-orchestrator"} & set(topic.producers)}
    tools = {topic.name for topic in topics if "tool-services" in topic.producers}
    expected = {
        "threadworks-gateway": (engine, _consumed("gateway")),
        "threadworks-run-orchestrator": (
            engine,
            _consumed("run-orchestrator") | {"run-orchestrator", "run-orchestrator-tool-results"},
        ),
        "threadworks-moodle-tool": (tools, _consumed("moodle") | {"tool-service.moodle"}),
        "threadworks-operator": ({topic.name for topic in topics}, {"threadworks.dead-letters.v1"}),
        "threadworks-scaler": (set(), set()),
    }
    if {each["metadata"]["name"] for each in manifests.of("KafkaUser")} != set(expected):
        yield "users"
    for user, (written, read) in expected.items():
        found = {"Write": set(), "Read": set()}
        for owner, right in _rights(manifests):
            for operation in set(right["operations"]) & set(found) if owner == user else ():
                found[operation].add(right["resource"]["name"])
        if found != {"Write": written, "Read": read}:
            yield f"{user}: {found}"


def every_service_is_scraped(manifests: Manifests) -> Iterator[str]:
    (monitor,) = manifests.of("ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    scraped = {
        service["spec"]["selector"]["app.kubernetes.io/name"]
        for service in manifests.of("Service")
        if wanted.items() <= service["metadata"].get("labels", {}).items()
        and [port["name"] for port in service["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]
    }
    if scraped != set(SERVICES):
        yield f"scraped: {sorted(scraped)}"
    for name in SERVICES:
        if "ops" not in {port["name"] for port in main_container(manifests.workload(name))["ports"]}:
            yield f"{name} has no ops port"


def _consumed(consumer: str) -> set[str]:
    topics = [*catalogue.topics(), catalogue.tool_calls_topic("moodle")]
    return {topic.name for topic in topics if consumer in topic.consumers}


def _scaled(manifests: Manifests, name: str) -> Any:
    return manifests.one("ScaledObject", name)["spec"]


def _authentication(manifests: Manifests) -> Any:
    return manifests.one("TriggerAuthentication", "kafka")["spec"]


def _rights(manifests: Manifests) -> Iterator[tuple[str, Object]]:
    for each in manifests.of("KafkaUser"):
        for right in each["spec"]["authorization"]["acls"]:
            yield each["metadata"]["name"], right


def _grant(manifests: Manifests, kind: str, name: str, operation: str, pattern: str = "literal") -> None:
    rights = manifests.one("KafkaUser", "threadworks-moodle-tool")["spec"]["authorization"]["acls"]
    rights.append({"resource": {"type": kind, "name": name, "patternType": pattern}, "operations": [operation]})


def _trigger(manifests: Manifests) -> Any:
    return _scaled(manifests, "moodle-tool")["triggers"][0]


RULES: list[tuple[Rule, list[Breaking]]] = [
    (
        consumers_are_scaled_by_a_lag_of_ten_on_their_own_topics,
        [
            lambda m: _trigger(m)["metadata"].update(lagThreshold="1000"),
            lambda m: _trigger(m)["metadata"].update(consumerGroup="moodle-tool"),
            lambda m: _scaled(m, "run-orchestrator")["triggers"].pop(),
        ],
    ),
    (
        there_are_never_more_consumers_than_partitions,
        [
            lambda m: _scaled(m, "moodle-tool").update(maxReplicaCount=13),
            lambda m: _scaled(m, "gateway").update(maxReplicaCount=64),
        ],
    ),
    (
        replicas_go_slowly_and_two_stay,
        [
            lambda m: _scaled(m, "gateway").update(minReplicaCount=0),
            lambda m: _scaled(m, "gateway")["advanced"]["horizontalPodAutoscalerConfig"]["behavior"][
                "scaleDown"
            ].update(stabilizationWindowSeconds=0),
        ],
    ),
    (the_number_of_replicas_is_kedas, [lambda m: m.workload("gateway").owner["spec"].update(replicas=2)]),
    (
        keda_signs_in_to_the_kafka_of_the_services,
        [
            lambda m: m.one("ConfigMap", "process-settings")["data"].update(THREADWORKS_KAFKA_BOOTSTRAP="other:9093"),
            lambda m: _trigger(m)["metadata"].pop("tls"),
            lambda m: _trigger(m).pop("authenticationRef"),
            lambda m: m.objects.remove(m.one("KafkaUser", "threadworks-scaler")),
        ],
    ),
    (
        topics_are_those_of_the_contracts,
        [
            lambda m: m.objects.remove(m.one("KafkaTopic", "threadworks.messages.v1")),
            lambda m: m.one("KafkaTopic", "threadworks.messages.v1")["spec"].update(partitions=1),
            lambda m: m.one("KafkaTopic", "threadworks.messages.v1")["spec"].update(replicas=1),
        ],
    ),
    (
        users_of_kafka_may_do_named_things_to_named_things,
        [
            lambda m: _grant(m, "topic", "threadworks.", "Read", "prefix"),
            lambda m: _grant(m, "topic", "threadworks.messages.v1", "All"),
            lambda m: _grant(m, "topic", "*", "Read"),
            lambda m: _grant(m, "cluster", "kafka-cluster", "Describe"),
            lambda m: m.one("KafkaUser", "threadworks-gateway")["spec"].update(authentication={"type": "tls"}),
        ],
    ),
    (
        users_of_kafka_write_and_read_what_the_contracts_say,
        [
            lambda m: _grant(m, "topic", "threadworks.run-events.v1", "Write"),
            lambda m: _grant(m, "topic", "threadworks.messages.v1", "Read"),
            lambda m: m.one("KafkaUser", "threadworks-gateway")["spec"]["authorization"]["acls"].pop(0),
            lambda m: m.one("KafkaUser", "threadworks-moodle-tool")["metadata"].update(name="another"),
        ],
    ),
    (
        every_service_is_scraped,
        [
            lambda m: m.objects.remove(m.one("Service", "moodle-tool-ops")),
            lambda m: m.one("Service", "gateway-ops")["spec"]["ports"][0].update(name="other"),
            lambda m: main_container(m.workload("gateway")).update(ports=[{"name": "http", "containerPort": 8080}]),
        ],
    ),
]
