"""Rules about every pod: what it may do, and what it may use."""

from collections.abc import Iterator

from manifests_under_test.rendered import Breaking, Manifests, Rule, main_container


def pods_run_as_a_numbered_user_that_is_not_root(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        context = each.pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser", 0) > 0:
            yield f"{each.name}: runAsNonRoot and runAsUser"
        for container in each.containers:
            own = container.get("securityContext", {})
            if own.get("runAsUser", 1) == 0 or own.get("runAsNonRoot", True) is not True:
                yield f"{each.name}/{container['name']} runs as root"


def pods_have_the_seccomp_profile_of_the_runtime(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        if each.pod.get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield each.name
        yield from (f"{each.name}/{c['name']}" for c in each.containers if "seccompProfile" in c["securityContext"])


def root_file_systems_are_read_only(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for container in each.containers:
            if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
                yield f"{each.name}/{container['name']}"


def nobody_gains_privileges(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for container in each.containers:
            context = container.get("securityContext", {})
            if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
                yield f"{each.name}/{container['name']}"


def all_capabilities_are_dropped(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for container in each.containers:
            if container.get("securityContext", {}).get("capabilities") != {"drop": ["ALL"]}:
                yield f"{each.name}/{container['name']}"


def no_pod_has_a_token_of_the_cluster(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        if each.pod.get("automountServiceAccountToken") is not False:
            yield f"pod of {each.name}"
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {account['metadata']['name']}"


def no_pod_is_told_of_services_by_variables(manifests: Manifests) -> Iterator[str]:
    # A Service named `threadworks` would set THREADWORKS_PORT=tcp://…
    for each in manifests.workloads():
        if each.pod.get("enableServiceLinks") is not False:
            yield each.name


def pods_stay_out_of_the_node(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        yield from (f"{each.name}: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if each.pod.get(key))
        yield from (f"{each.name}: {volume['name']}" for volume in each.pod.get("volumes", []) if "hostPath" in volume)
        for container in each.containers:
            yield from (f"{each.name}: host port" for port in container.get("ports", []) if "hostPort" in port)


def every_container_asks_for_cpu_and_memory_and_has_a_limit_of_memory(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for container in each.containers:
            resources = container.get("resources", {})
            asked, limits = resources.get("requests", {}), resources.get("limits", {})
            if not {"cpu", "memory"} <= set(asked) or "memory" not in limits:
                yield f"{each.name}/{container['name']}"


def what_pods_write_has_a_limit(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for volume in each.pod.get("volumes", []):
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                yield f"{each.name}: {volume['name']}"


def every_pod_of_ours_can_write_temporary_files(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        if "/tmp" not in {mount["mountPath"] for mount in main_container(each).get("volumeMounts", [])}:
            yield each.name


def images_have_a_tag_and_name_no_registry(manifests: Manifests) -> Iterator[str]:
    for each in manifests.workloads():
        for container in each.containers:
            name, _, tag = container["image"].partition(":")
            if not tag or tag == "latest" or "." in name:
                yield f"{each.name}: {container['image']}"


def all_images_of_ours_have_one_version(manifests: Manifests) -> Iterator[str]:
    images = {container["image"] for each in manifests.workloads() for container in each.containers}
    tags = {image.partition(":")[2] for image in images if image.startswith("threadworks/")}
    if len(tags) != 1:
        yield f"versions: {sorted(tags)}"


def _gateway(manifests: Manifests) -> dict[str, object]:
    return main_container(manifests.workload("gateway"))


def _set(manifests: Manifests, *path: str, value: object) -> None:
    place = _gateway(manifests)
    for key in path[:-1]:
        place = place[key]  # type: ignore[assignment]  # the containers of YAML
    place[path[-1]] = value


RULES: list[tuple[Rule, list[Breaking]]] = [
    (
        pods_run_as_a_numbered_user_that_is_not_root,
        [
            lambda m: m.workload("gateway").pod["securityContext"].pop("runAsNonRoot"),
            lambda m: m.workload("migrate").pod["securityContext"].update(runAsUser=0),
            lambda m: _set(m, "securityContext", "runAsUser", value=0),
        ],
    ),
    (
        pods_have_the_seccomp_profile_of_the_runtime,
        [
            lambda m: m.workload("moodle-tool").pod["securityContext"].pop("seccompProfile"),
            lambda m: _set(m, "securityContext", "seccompProfile", value={"type": "Unconfined"}),
        ],
    ),
    (root_file_systems_are_read_only, [lambda m: _set(m, "securityContext", "readOnlyRootFilesystem", value=False)]),
    (
        nobody_gains_privileges,
        [
            lambda m: _set(m, "securityContext", "allowPrivilegeEscalation", value=True),
            lambda m: m.workload("gateway").pod["initContainers"][0]["securityContext"].update(privileged=True),
        ],
    ),
    (
        all_capabilities_are_dropped,
        [
            lambda m: _set(m, "securityContext", "capabilities", value={}),
            lambda m: _set(m, "securityContext", "capabilities", "add", value=["NET_BIND_SERVICE"]),
        ],
    ),
    (
        no_pod_has_a_token_of_the_cluster,
        [
            lambda m: m.workload("operator").pod.pop("automountServiceAccountToken"),
            lambda m: m.one("ServiceAccount", "gateway").pop("automountServiceAccountToken"),
        ],
    ),
    (no_pod_is_told_of_services_by_variables, [lambda m: m.workload("gateway").pod.pop("enableServiceLinks")]),
    (
        pods_stay_out_of_the_node,
        [
            lambda m: m.workload("gateway").pod.update(hostNetwork=True),
            lambda m: m.workload("gateway").pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
            lambda m: _set(m, "ports", value=[{"name": "http", "containerPort": 8080, "hostPort": 80}]),
        ],
    ),
    (
        every_container_asks_for_cpu_and_memory_and_has_a_limit_of_memory,
        [
            lambda m: _set(m, "resources", "limits", value={}),
            lambda m: m.workload("topics" if m.overlay == "local" else "migrate").containers[0].pop("resources"),
        ],
    ),
    (
        what_pods_write_has_a_limit,
        [lambda m: m.workload("gateway").pod["volumes"].append({"name": "x", "emptyDir": {}})],
    ),
    (every_pod_of_ours_can_write_temporary_files, [lambda m: _set(m, "volumeMounts", value=[])]),
    (
        images_have_a_tag_and_name_no_registry,
        [
            lambda m: _set(m, "image", value="threadworks/gateway"),
            lambda m: _set(m, "image", value="threadworks/gateway:latest"),
            lambda m: _set(m, "image", value="registry.example.org/threadworks/gateway:1"),
        ],
    ),
    (all_images_of_ours_have_one_version, [lambda m: _set(m, "image", value="threadworks/gateway:0.0.9")]),
]
