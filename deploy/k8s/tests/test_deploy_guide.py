"""The guide names what the manifests want: the Secrets with their keys, and no more than ten commands."""

import os
import re
from pathlib import Path

import pytest
from gateway.settings import GatewaySettings
from manifests_under_test.rendered import FOLDER, OVERLAYS, SERVICES, Manifests, main_container, render
from manifests_under_test.secret_rules import FROM_OUTSIDE

GUIDE = (FOLDER.parents[1] / "docs/guides/deploy.md").read_text()
KEYS = {
    "threadworks-database": "--from-literal=url=",
    "threadworks-database-ca": "--from-file=ca.crt",
    "threadworks-kafka-ca": "--from-file=ca.crt=",
    "threadworks-model": "--from-literal=api-key=",
    "threadworks-moodle": "--from-literal=token=",
    "threadworks-object-store": "--from-env-file=",
}


def commands(overlay: str) -> list[str]:
    found = re.search(rf"<!-- commands: {overlay} -->\n```bash\n(.*?)\n```\n<!-- end -->", GUIDE, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ten_commands_install_it(overlay: str) -> None:
    assert len(commands(overlay)) <= 10
    assert f"kubectl apply --server-side --kustomize deploy/k8s/overlays/{overlay}" in commands(overlay)


def test_every_secret_is_made_with_its_keys() -> None:
    assert set(KEYS) == FROM_OUTSIDE
    for name, key in KEYS.items():
        assert any(f"create secret generic {name} {key}" in command for command in commands("production")), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_says_how_many_objects_there_are(overlay: str) -> None:
    assert f"{len(render(FOLDER / 'overlays' / overlay))} " in re.findall(r"server-side apply \| (.*)", GUIDE)[0]
    assert overlay in re.findall(r"server-side apply \| (.*)", GUIDE)[0]


def test_the_images_of_the_laptop_are_those_that_its_overlay_wants() -> None:
    (loop,) = [command for command in commands("local") if command.startswith("for image in ")]
    images = set(loop.removeprefix("for image in ").split(";")[0].split())
    wanted = set(re.findall(r"image: threadworks/(\S+):", "\n".join(_images("local"))))
    assert images == wanted


def test_the_overlay_for_traces_and_owlie_can_be_rendered_and_adds_what_it_says(tmp_path: Path) -> None:
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```\n<!-- end -->", GUIDE, re.DOTALL))
    assert set(files) == {"kustomization.yaml", "to-collector.yaml"}
    production = os.path.relpath((FOLDER / "overlays/production").resolve(), tmp_path.resolve())
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("../production", production))
    manifests = Manifests("production", render(tmp_path))
    settings = [manifests.settings(main_container(each)) for each in manifests.services()]
    assert all(each["OTEL_EXPORTER_OTLP_ENDPOINT"].endswith(":4318") for each in settings)
    (policy,) = [each for each in manifests.of("NetworkPolicy") if each["metadata"]["name"] == "to-collector"]
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == list(SERVICES)
    assert policy["spec"]["egress"][0]["ports"] == [{"protocol": "TCP", "port": 4318}]
    gateway = manifests.settings(main_container(manifests.workload("gateway")))
    assert gateway["THREADWORKS_OWLIE_KEYS"] == {"secretKeyRef": {"name": "threadworks-owlie", "key": "keys"}}
    assert {"THREADWORKS_OWLIE_KEYS", "THREADWORKS_OWLIE_TENANT"} <= {
        f"THREADWORKS_{name.upper()}" for name in GatewaySettings.model_fields
    } & set(gateway)


def _images(overlay: str) -> list[str]:
    return [f"image: {image}" for each in render(FOLDER / "overlays" / overlay) for image in _images_of(each)]


def _images_of(each: object) -> list[str]:
    if isinstance(each, dict):
        own = [each["image"]] if isinstance(each.get("image"), str) else []
        return own + [image for value in each.values() for image in _images_of(value)]
    if isinstance(each, list):
        return [image for value in each for image in _images_of(value)]
    return []
