"""Rules about settings and secrets: where they come from, and who sees them."""

import re
from collections.abc import Iterator
from typing import Any

from gateway.settings import GatewaySettings
from moodle_tool.settings import MoodleToolSettings
from pydantic import AliasChoices
from pydantic_settings import BaseSettings
from run_orchestrator.settings import OrchestratorSettings
from service_process import KafkaConnection, ProcessSettings
from threadworks.settings import LocalSettings
from tool_service.process import ToolProcessSettings

from manifests_under_test.rendered import SERVICES, Breaking, Manifests, Object, Rule, Workload, main_container

SECRET_NAME = re.compile(r"PASSWORD|TOKEN$|_KEY|DATABASE_URL|SECRET")
WHO_SEES = {
    "threadworks-database": {"gateway", "run-orchestrator", "operator", "migrate", "postgresql"},
    "threadworks-model": {"run-orchestrator"},
    "threadworks-moodle": {"moodle-tool"},
    "threadworks-object-store": {"gateway", "run-orchestrator"},
    "threadworks-database-ca": {"gateway", "run-orchestrator", "operator", "migrate"},
    "threadworks-kafka-ca": {"gateway", "run-orchestrator", "moodle-tool", "operator"},
    "threadworks-gateway": {"gateway"},
    "threadworks-run-orchestrator": {"run-orchestrator"},
    "threadworks-moodle-tool": {"moodle-tool"},
    "threadworks-operator": {"operator"},
}
"""Which workloads may name which Secret. The last four are made by Strimzi, one for each KafkaUser."""
FROM_OUTSIDE = {name for name in WHO_SEES if name not in {f"threadworks-{each}" for each in (*SERVICES, "operator")}}
"""What the production overlay expects to be there."""
READ_BY: dict[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (GatewaySettings, ProcessSettings),
    "run-orchestrator": (OrchestratorSettings, ProcessSettings),
    "moodle-tool": (MoodleToolSettings, ToolProcessSettings),
    "operator": (LocalSettings, KafkaConnection),
    "migrate": (LocalSettings,),
    "topics": (LocalSettings, KafkaConnection),
}


def the_namespace_enforces_the_restricted_level(manifests: Manifests) -> Iterator[str]:
    (namespace,) = manifests.of("Namespace")
    for mode in ("enforce", "warn", "audit"):
        if namespace["metadata"]["labels"].get(f"pod-security.kubernetes.io/{mode}") != "restricted":
            yield mode
    for each in manifests.objects:
        named = each["metadata"].get("namespace", "threadworks")
        if named != "threadworks":
            yield f"{each['kind']}/{each['metadata']['name']} is in {named}"


def secrets_come_by_reference(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("ConfigMap"):
        for name, value in each["data"].items():
            if SECRET_NAME.search(name) or re.search(r"//[^/\s]*:[^/\s]*@|\bsk-\w", value):
                yield f"{each['metadata']['name']}: {name}"
    for workload in manifests.workloads():
        for container in workload.containers:
            for variable in container.get("env", []):
                if SECRET_NAME.search(variable["name"]) and "secretKeyRef" not in variable.get("valueFrom", {}):
                    yield f"{workload.name}: {variable['name']}"


def production_brings_no_secret_along(manifests: Manifests) -> Iterator[str]:
    if manifests.overlay == "production":
        for each in manifests.of("Secret"):
            # KEDA takes the name of its user from a Secret; a name is none.
            if set(each.get("data", {})) != {"username"} or each.get("stringData"):
                yield each["metadata"]["name"]


def a_secret_is_seen_by_those_that_need_it(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for name in _secrets(workload):
            plain = name if name in WHO_SEES else name.rpartition("-")[0]
            if workload.name not in WHO_SEES.get(plain, set()):
                yield f"{workload.name} sees {name}"


def what_is_named_is_there(manifests: Manifests) -> Iterator[str]:
    made_by_strimzi = {each["metadata"]["name"] for each in manifests.of("KafkaUser")}
    for workload in manifests.workloads():
        for name in _secrets(workload):
            outside = name in FROM_OUTSIDE and manifests.overlay == "production"
            if not outside and name not in made_by_strimzi and not manifests.has("Secret", name):
                yield f"{workload.name}: Secret {name}"
        for container in workload.containers:
            for source in container.get("envFrom", []):
                name = source.get("configMapRef", {}).get("name")
                if name and not manifests.has("ConfigMap", name):
                    yield f"{workload.name}: ConfigMap {name}"
            volumes = {volume["name"] for volume in workload.pod.get("volumes", [])}
            volumes |= {each["metadata"]["name"] for each in workload.owner["spec"].get("volumeClaimTemplates", [])}
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            yield from (f"{workload.name}: volume {name}" for name in sorted(mounts - volumes))
        account = workload.pod.get("serviceAccountName")
        if account and not manifests.has("ServiceAccount", account):
            yield f"{workload.name}: ServiceAccount {account}"


def settings_are_understood_by_those_that_get_them(manifests: Manifests) -> Iterator[str]:
    known = {variable for classes in READ_BY.values() for each in classes for variable in _variables(each)}
    for name in READ_BY:
        if name == "topics" and not manifests.has("Job", name):
            continue
        given = set(manifests.settings(main_container(manifests.workload(name))))
        yield from (f"{name} is given {variable}, which nobody reads" for variable in sorted(given - known))
    for name in SERVICES:
        given = set(manifests.settings(main_container(manifests.workload(name))))
        for each in READ_BY[name]:
            for field_name, field in each.model_fields.items():
                if field.is_required() and not given & _names(field_name, field.validation_alias):
                    yield f"{name} is not given {field_name}"


def services_listen_where_others_reach_them(manifests: Manifests) -> Iterator[str]:
    for each in manifests.services():
        settings = manifests.settings(main_container(each))
        if settings.get("THREADWORKS_OPS_HOST") != "0.0.0.0":
            yield f"{each.name}: ops port on {settings.get('THREADWORKS_OPS_HOST')}"
        if settings.get("THREADWORKS_LOG_FORMAT") != "json":
            yield f"{each.name}: the log is not JSON"
    gateway = manifests.settings(main_container(manifests.workload("gateway")))
    if (gateway.get("THREADWORKS_HOST"), str(gateway.get("THREADWORKS_PORT"))) != ("0.0.0.0", "8080"):
        yield "gateway: host and port"


def production_encrypts_and_signs_in(manifests: Manifests) -> Iterator[str]:
    if manifests.overlay != "production":
        return
    for name in (*SERVICES, "operator"):
        workload = manifests.workload(name)
        settings = manifests.settings(main_container(workload))
        if settings.get("THREADWORKS_KAFKA_SECURITY_PROTOCOL") != "SASL_SSL":
            yield f"{name}: Kafka without TLS and password"
        if settings.get("THREADWORKS_KAFKA_SASL_USERNAME") != f"threadworks-{name}":
            yield f"{name}: signs in as somebody else"
        if not _mounts(workload, settings.get("THREADWORKS_KAFKA_CA_FILE", ""), "threadworks-kafka-ca"):
            yield f"{name}: no certificate of Kafka's authority"
    for name in ("gateway", "run-orchestrator", "operator", "migrate"):
        for container in manifests.workload(name).containers:
            if "/etc/threadworks/database-ca" not in {each["mountPath"] for each in container.get("volumeMounts", [])}:
                yield f"{name}/{container['name']}: no certificate of PostgreSQL's authority"
    if not str(manifests.one("ConfigMap", "run-orchestrator-settings")["data"]["OPENAI_BASE_URL"]).startswith("https:"):
        yield "the model is asked without TLS"
    if not manifests.one("ConfigMap", "moodle-tool-settings")["data"]["THREADWORKS_MOODLE_BASE_URL"].startswith(
        "https:"
    ):
        yield "Moodle is asked without TLS"


def public_events_of_production_carry_no_text(manifests: Manifests) -> Iterator[str]:
    for name in ("gateway", "run-orchestrator"):
        settings = manifests.settings(main_container(manifests.workload(name)))
        if manifests.overlay == "production" and settings.get("THREADWORKS_EVENT_CONTENT") != "reference":
            yield name


def _secrets(workload: Workload) -> set[str]:
    found = set()
    for container in workload.containers:
        found |= {each["secretRef"]["name"] for each in container.get("envFrom", []) if "secretRef" in each}
        sources = [each.get("valueFrom", {}) for each in container.get("env", [])]
        found |= {source["secretKeyRef"]["name"] for source in sources if "secretKeyRef" in source}
    return found | {each["secret"]["secretName"] for each in workload.pod.get("volumes", []) if "secret" in each}


def _variables(settings: type[BaseSettings]) -> set[str]:
    return {
        variable for name, field in settings.model_fields.items() for variable in _names(name, field.validation_alias)
    }


def _names(name: str, alias: Any) -> set[str]:
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias else []
    return {str(each) for each in choices if str(each).isupper()} or {f"THREADWORKS_{name.upper()}"}


def _mounts(workload: Workload, path: str, secret: str) -> bool:
    folders = {each["mountPath"]: each["name"] for each in main_container(workload)["volumeMounts"]}
    volumes = {each["name"]: each for each in workload.pod["volumes"]}
    volume = volumes.get(folders.get(path.rpartition("/")[0], ""), {})
    return volume.get("secret", {}).get("secretName") == secret


def _data(manifests: Manifests, name: str) -> Object:
    return manifests.one("ConfigMap", name)["data"]


def _env(manifests: Manifests, name: str) -> list[Object]:
    return main_container(manifests.workload(name))["env"]


def _ref(secret: str) -> Object:
    return {"secretKeyRef": {"name": secret, "key": "x"}}


RULES: list[tuple[Rule, list[Breaking]]] = [
    (
        the_namespace_enforces_the_restricted_level,
        [
            lambda m: m.of("Namespace")[0]["metadata"]["labels"].update(
                {"pod-security.kubernetes.io/enforce": "baseline"}
            ),
            lambda m: m.one("Service", "gateway")["metadata"].update(namespace="default"),
        ],
    ),
    (
        secrets_come_by_reference,
        [
            lambda m: _data(m, "process-settings").update(THREADWORKS_MOODLE_TOKEN="abc"),
            lambda m: _data(m, "process-settings").update(SOMETHING="postgresql://user:word@host/name"),
            lambda m: _env(m, "gateway").append({"name": "OPENAI_API_KEY", "value": "abc"}),
        ],
    ),
    (
        production_brings_no_secret_along,
        [lambda m: m.objects.append({"kind": "Secret", "metadata": {"name": "x"}, "data": {"token": "eA=="}})],
    ),
    (
        a_secret_is_seen_by_those_that_need_it,
        [
            lambda m: _env(m, "gateway").append({"name": "X", "valueFrom": _ref("threadworks-moodle")}),
            lambda m: _env(m, "moodle-tool").append({"name": "X", "valueFrom": _ref("threadworks-database")}),
            lambda m: main_container(m.workload("moodle-tool"))["envFrom"].append(
                {"secretRef": {"name": "threadworks-model"}}
            ),
        ],
    ),
    (
        what_is_named_is_there,
        [
            lambda m: _env(m, "gateway").append({"name": "X", "valueFrom": _ref("nowhere")}),
            lambda m: m.objects.remove(m.one("ConfigMap", "engine-settings")),
            lambda m: m.objects.remove(m.one("ServiceAccount", "operator")),
            lambda m: main_container(m.workload("gateway"))["volumeMounts"].append({"name": "x", "mountPath": "/x"}),
        ],
    ),
    (
        settings_are_understood_by_those_that_get_them,
        [
            lambda m: _data(m, "gateway-settings").update(THREADWORKS_PROT="8080"),
            lambda m: main_container(m.workload("gateway")).update(env=[]),
            lambda m: _data(m, "moodle-tool-settings").pop("THREADWORKS_MOODLE_BASE_URL"),
        ],
    ),
    (
        services_listen_where_others_reach_them,
        [
            lambda m: _data(m, "process-settings").pop("THREADWORKS_OPS_HOST"),
            lambda m: _data(m, "process-settings").update(THREADWORKS_LOG_FORMAT="console"),
            lambda m: _data(m, "gateway-settings").pop("THREADWORKS_HOST"),
        ],
    ),
    (
        production_encrypts_and_signs_in,
        [
            lambda m: _data(m, "process-settings").update(THREADWORKS_KAFKA_SECURITY_PROTOCOL="PLAINTEXT"),
            lambda m: _data(m, "process-settings").update(THREADWORKS_KAFKA_CA_FILE="/etc/other/ca.crt"),
            lambda m: _env(m, "gateway").append({"name": "THREADWORKS_KAFKA_SASL_USERNAME", "value": "admin"}),
            lambda m: m.workload("gateway").pod["initContainers"][0].update(volumeMounts=[]),
            lambda m: _data(m, "moodle-tool-settings").update(THREADWORKS_MOODLE_BASE_URL="http://moodle.example.org"),
            lambda m: _data(m, "run-orchestrator-settings").update(OPENAI_BASE_URL="http://model.example.org/v1"),
        ],
    ),
    (
        public_events_of_production_carry_no_text,
        [lambda m: _data(m, "engine-settings").update(THREADWORKS_EVENT_CONTENT="inline")],
    ),
]
