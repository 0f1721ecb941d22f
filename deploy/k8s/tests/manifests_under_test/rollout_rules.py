"""Rules about starting, replacing and taking away: probes, rollouts, budgets, grace, spread, replicas, migrations."""

from collections.abc import Iterator

from gateway.entrypoints.service import DRAIN_SECONDS, STOP_SECONDS

from manifests_under_test.rendered import ENGINE, NAME, Breaking, Manifests, Rule, main_container

GRACE = {"gateway": 90, "run-orchestrator": 75, "moodle-tool": 30}
READY, ALIVE = {"path": "/readyz", "port": "ops"}, {"path": "/healthz", "port": "ops"}


def services_are_probed_on_the_ops_port(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        container = main_container(each)
        if {"name": "ops", "containerPort": 9090} not in container["ports"]:
            yield f"{each.name}: the ops port"
        if str(manifests.settings(container).get("THREADWORKS_OPS_PORT")) != "9090":
            yield f"{each.name}: THREADWORKS_OPS_PORT"
        for probe, path in (("startupProbe", READY), ("readinessProbe", READY), ("livenessProbe", ALIVE)):
            if container.get(probe, {}).get("httpGet") != path:
                yield f"{each.name}: {probe}"


def a_start_may_wait_ten_minutes_for_postgresql_and_kafka(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        probe = main_container(each)["startupProbe"]
        if probe["periodSeconds"] * probe["failureThreshold"] < 600:
            yield f"{each.name}: the startup probe gives up early"
        if each.owner["spec"]["progressDeadlineSeconds"] < 600:
            yield f"{each.name}: the rollout gives up early"


def everything_else_that_serves_is_probed_too(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        if each.owner["kind"] != "Job" and main_container(each).get("ports"):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in main_container(each):
                    yield f"{each.name}: {probe}"


def only_gateways_sleep_before_they_stop_and_for_five_to_ten_seconds(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        hook = main_container(each).get("lifecycle", {}).get("preStop")
        if each.name == "gateway":
            if not hook or not 5 <= hook.get("sleep", {}).get("seconds", 0) <= 10:
                yield f"gateway: {hook}"
        elif hook:
            yield f"{each.name}: {hook}"


def grace_is_as_long_as_the_services_drain(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        if each.pod.get("terminationGracePeriodSeconds") != GRACE[each.name]:
            yield f"{each.name}: {each.pod.get('terminationGracePeriodSeconds')} s"
    gateway = main_container(manifests.workload("gateway"))
    sleep = gateway.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if sleep + DRAIN_SECONDS + STOP_SECONDS > GRACE["gateway"]:
        yield "gateway: preStop, drain and stop take longer than the grace period"
    orchestrator = manifests.settings(main_container(manifests.workload("run-orchestrator")))
    if int(orchestrator["THREADWORKS_DRAIN_SECONDS"]) + 15 > GRACE["run-orchestrator"]:
        yield "run-orchestrator: drain and stop take longer than the grace period"


def a_rollout_takes_no_gateway_away_and_one_consumer_at_most(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        strategy = each.owner["spec"].get("strategy", {}).get("rollingUpdate", {})
        if strategy.get("maxUnavailable") != (0 if each.name == "gateway" else 1):
            yield f"{each.name}: maxUnavailable {strategy.get('maxUnavailable')}"
        if strategy.get("maxSurge") != 1:
            yield f"{each.name}: maxSurge {strategy.get('maxSurge')}"


def every_service_has_a_disruption_budget_of_one(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        if not manifests.has("PodDisruptionBudget", each.name):
            yield f"{each.name}: none"
            continue
        budget = manifests.one("PodDisruptionBudget", each.name)["spec"]
        if budget.get("maxUnavailable") != 1 or "minAvailable" in budget:
            yield f"{each.name}: not one"
        if budget["selector"] != {"matchLabels": {NAME: each.name}} or each.labels.get(NAME) != each.name:
            yield f"{each.name}: selects other pods"


def services_are_spread_over_zones_and_nodes(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        spread = {one["topologyKey"]: one for one in each.pod.get("topologySpreadConstraints", [])}
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname"):
            one = spread.get(key)
            if one is None or one["maxSkew"] != 1 or one["labelSelector"] != {"matchLabels": {NAME: each.name}}:
                yield f"{each.name}: {key}"


def there_are_at_least_two_of_every_service(manifests: Manifests) -> Iterator[str]:
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each for each in manifests.of("ScaledObject")}
    for each in manifests.services():
        least = each.owner["spec"].get("replicas")
        if each.name in scaled:
            least = scaled[each.name]["spec"]["minReplicaCount"]
        if least is None or least < 2:
            yield f"{each.name}: {least}"


def services_on_the_engine_wait_for_the_schema_of_their_version(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        waiting = [c for c in each.pod.get("initContainers", []) if c.get("args") == ["migrate", "--wait"]]
        if each.name not in ENGINE:
            yield from (f"{each.name} needs no database" for _ in waiting)
        elif len(waiting) != 1:
            yield f"{each.name} does not wait"
        else:
            version = main_container(each)["image"].partition(":")[2]
            if waiting[0]["image"] != f"threadworks/threadworks:{version}":
                yield f"{each.name} waits for another version"
            if "THREADWORKS_DATABASE_URL" not in manifests.settings(waiting[0]):
                yield f"{each.name} waits for no database"


def jobs_bring_the_schema_and_where_strimzi_does_not_the_topics(manifests: Manifests) -> Iterator[str]:
    expected = {"migrate": ["migrate"]}
    if not manifests.of("KafkaTopic"):
        expected["topics"] = ["topics", "apply", "--replication-factor=1"]
    jobs = {each["metadata"]["name"]: each for each in manifests.of("Job")}
    if set(jobs) != set(expected):
        yield f"jobs: {sorted(jobs)}"
    for name, job in jobs.items():
        if job["spec"]["template"]["spec"]["containers"][0]["args"] != expected.get(name):
            yield f"{name}: arguments"
        if job["spec"].get("backoffLimit", 0) < 5 or not job["spec"].get("ttlSecondsAfterFinished"):
            yield f"{name}: is not tried again, or stays for ever"


def selectors_and_ports_find_what_they_name(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Service"):
        selector = service["spec"]["selector"]
        found = [each for each in manifests.workloads() if selector.items() <= each.labels.items()]
        if len(found) != 1:
            yield f"{service['metadata']['name']} selects {[each.name for each in found]}"
            continue
        ports = {port["name"] for port in main_container(found[0]).get("ports", [])}
        yield from (
            f"{service['metadata']['name']}: no port {port['targetPort']}"
            for port in service["spec"]["ports"]
            if port["targetPort"] not in ports
        )
    for each in manifests.workloads():
        wanted = each.owner["spec"].get("selector", {}).get("matchLabels", {})
        if not wanted.items() <= each.labels.items():
            yield f"{each.name} does not select its own pods"


def _spec(manifests: Manifests, name: str) -> dict[str, object]:
    return manifests.workload(name).owner["spec"]


RULES: list[tuple[Rule, list[Breaking]]] = [
    (
        services_are_probed_on_the_ops_port,
        [
            lambda m: main_container(m.workload("gateway")).pop("startupProbe"),
            lambda m: main_container(m.workload("moodle-tool"))["readinessProbe"].update(httpGet=ALIVE),
            lambda m: main_container(m.workload("run-orchestrator"))["livenessProbe"].update(httpGet=READY),
            lambda m: m.one("ConfigMap", "process-settings")["data"].update(THREADWORKS_OPS_PORT="0"),
            lambda m: main_container(m.workload("moodle-tool")).update(ports=[]),
        ],
    ),
    (
        a_start_may_wait_ten_minutes_for_postgresql_and_kafka,
        [
            lambda m: main_container(m.workload("gateway"))["startupProbe"].update(failureThreshold=3),
            lambda m: _spec(m, "gateway").update(progressDeadlineSeconds=60),
        ],
    ),
    (
        everything_else_that_serves_is_probed_too,
        [lambda m: main_container(m.workload("moodle-tool")).pop("livenessProbe")],
    ),
    (
        only_gateways_sleep_before_they_stop_and_for_five_to_ten_seconds,
        [
            lambda m: main_container(m.workload("gateway")).pop("lifecycle"),
            lambda m: main_container(m.workload("gateway"))["lifecycle"]["preStop"]["sleep"].update(seconds=30),
            lambda m: main_container(m.workload("moodle-tool")).update(
                lifecycle={"preStop": {"sleep": {"seconds": 5}}}
            ),
        ],
    ),
    (
        grace_is_as_long_as_the_services_drain,
        [
            lambda m: m.workload("gateway").pod.pop("terminationGracePeriodSeconds"),
            lambda m: m.workload("run-orchestrator").pod.update(terminationGracePeriodSeconds=30),
            lambda m: main_container(m.workload("gateway"))["lifecycle"]["preStop"]["sleep"].update(seconds=20),
            lambda m: m.one("ConfigMap", "run-orchestrator-settings")["data"].update(THREADWORKS_DRAIN_SECONDS="90"),
        ],
    ),
    (
        a_rollout_takes_no_gateway_away_and_one_consumer_at_most,
        [
            lambda m: _spec(m, "gateway").update(strategy={"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}),
            lambda m: _spec(m, "moodle-tool").update(strategy={"rollingUpdate": {"maxUnavailable": 2, "maxSurge": 1}}),
            lambda m: _spec(m, "run-orchestrator").update(strategy={"type": "Recreate"}),
        ],
    ),
    (
        every_service_has_a_disruption_budget_of_one,
        [
            lambda m: m.objects.remove(m.one("PodDisruptionBudget", "gateway")),
            lambda m: m.one("PodDisruptionBudget", "moodle-tool")["spec"].update(maxUnavailable="100%"),
            lambda m: m.one("PodDisruptionBudget", "gateway")["spec"].update(selector={"matchLabels": {NAME: "other"}}),
        ],
    ),
    (
        services_are_spread_over_zones_and_nodes,
        [
            lambda m: m.workload("gateway").pod.pop("topologySpreadConstraints"),
            lambda m: m.workload("moodle-tool").pod["topologySpreadConstraints"].pop(),
            lambda m: m.workload("moodle-tool").pod["topologySpreadConstraints"][0].update(labelSelector={}),
        ],
    ),
    (
        there_are_at_least_two_of_every_service,
        [
            lambda m: (
                m.one("ScaledObject", "gateway")["spec"].update(minReplicaCount=1)
                if m.of("ScaledObject")
                else _spec(m, "gateway").update(replicas=1)
            )
        ],
    ),
    (
        services_on_the_engine_wait_for_the_schema_of_their_version,
        [
            lambda m: m.workload("gateway").pod.pop("initContainers"),
            lambda m: m.workload("gateway").pod["initContainers"][0].update(image="threadworks/threadworks:0.0.9"),
            lambda m: m.workload("run-orchestrator").pod["initContainers"][0].update(env=[]),
            lambda m: m.workload("moodle-tool").pod.update(
                initContainers=[{"name": "x", "args": ["migrate", "--wait"]}]
            ),
        ],
    ),
    (
        jobs_bring_the_schema_and_where_strimzi_does_not_the_topics,
        [
            lambda m: m.objects.remove(m.one("Job", "migrate")),
            lambda m: m.workload("migrate").containers[0].update(args=["migrate", "--wait"]),
            lambda m: m.one("Job", "migrate")["spec"].pop("ttlSecondsAfterFinished"),
        ],
    ),
    (
        selectors_and_ports_find_what_they_name,
        [
            lambda m: m.one("Service", "gateway")["spec"].update(selector={NAME: "other"}),
            lambda m: m.one("Service", "gateway")["spec"]["ports"][0].update(targetPort="other"),
            lambda m: m.workload("gateway").labels.pop(NAME),
        ],
    ),
]
