"""The guide names what the manifests want: the Secrets with their keys, and no more than ten commands."""

import re

import pytest
from manifests_under_test.rendered import FOLDER, OVERLAYS, render
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


def _images(overlay: str) -> list[str]:
    return [f"image: {image}" for each in render(FOLDER / "overlays" / overlay) for image in _images_of(each)]


def _images_of(each: object) -> list[str]:
    if isinstance(each, dict):
        own = [each["image"]] if isinstance(each.get("image"), str) else []
        return own + [image for value in each.values() for image in _images_of(value)]
    if isinstance(each, list):
        return [image for value in each for image in _images_of(value)]
    return []
