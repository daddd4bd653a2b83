"""The manifests in configs/kubernetes: rendered by kubectl, valid, and in step with the program and its image."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from stream_ocr.cli.app import app
from stream_ocr.config.settings import Settings
from stream_ocr.fleet.settings import check_fleet

ROOT = Path(__file__).parent.parent
MANIFESTS = ROOT / "configs" / "kubernetes"
KUSTOMIZATIONS = sorted(path.parent.name for path in MANIFESTS.glob("*/kustomization.yaml"))
VERSION = "1.33"  # of Kubernetes: the first with backoffLimitPerIndex for everybody
CUSTOM = {"RayCluster", "ServiceMonitor"}  # not part of Kubernetes
IMAGE_PROGRAMS = {"tini", "sh", "stream-ocr", "ulimit", "until", "wait", "exec", "$KUBERAY_GEN_RAY_START_CMD", "ray"}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl, which renders the manifests")


@functools.cache
def rendered(name: str) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    output = subprocess.check_output(["kubectl", "kustomize", str(MANIFESTS / name)], text=True)
    return list(yaml.safe_load_all(output))


def pods(name: str) -> Iterator[dict[str, Any]]:
    """Yield the pod templates of a kustomization."""
    for item in rendered(name):
        spec = item.get("spec", {})
        if item["kind"] == "RayCluster":
            yield spec["headGroupSpec"]["template"]
            yield from (group["template"] for group in spec["workerGroupSpecs"])
        elif "template" in spec:
            yield spec["template"]


def containers(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each container with its pod."""
    for pod in pods(name):
        yield from ((pod, container) for container in pod["spec"]["containers"])


def commands(container: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the commands of stream-ocr that a container runs."""
    arguments = [str(argument) for argument in container.get("args", ())]
    if "command" not in container:
        yield arguments
        return
    for script in arguments:
        yield from (found.split() for found in re.findall(r"stream-ocr ([^;&|\n]+)", script))


def settings_of(name: str) -> Iterator[tuple[str, Settings]]:
    for item in rendered(name):
        if item["kind"] == "ConfigMap":
            yield from (
                (key, Settings.model_validate(_without_secrets(yaml.safe_load(text))))
                for key, text in item["data"].items()
                if key.endswith(".yaml")
            )


def _without_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Replace addresses in files, which are not here, by addresses."""
    sources = {name: {"url": "rtsp://127.0.0.1/"} if "url_file" in source else source
               for name, source in values["sources"].items()}  # fmt: skip
    return {**values, "sources": sources}


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_manifests_are_valid(name):
    for item in rendered(name):
        if item["kind"] not in CUSTOM:
            kubernetes_validate.validate(item, VERSION, strict=True)
    for pod in pods(name):
        item = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", **pod.get("metadata", {})}}
        kubernetes_validate.validate(item | {"spec": pod["spec"]}, VERSION, strict=True)


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_containers_have_no_privileges(name):
    for pod, container in containers(name):
        own, common = container["securityContext"], pod["spec"]["securityContext"]
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert common["runAsNonRoot"] is True
        assert common["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_commands_and_options_exist(name):
    root = typer.main.get_command(app)
    for _, container in containers(name):
        if not container["image"].startswith("stream-ocr"):
            continue
        found = list(commands(container))
        assert found or "ray" in container["name"]
        for arguments in found:
            command, rest = root, arguments
            while hasattr(command, "commands"):
                command, rest = command.commands[rest[0]], rest[1:]
            options = {option for parameter in command.params for option in parameter.opts}
            assert {argument for argument in rest if argument.startswith("--")} <= options
        words = {
            line.split()[0] for script in container.get("args", ()) if "\n" in script for line in script.splitlines()
        }
        assert {*container.get("command", ["tini"])[:1], *words} <= IMAGE_PROGRAMS


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_paths_lie_in_mounted_volumes(name):
    for pod, container in containers(name):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]} | {"data"}  # data: claimed by its StatefulSet
        assert set(mounts.values()) <= volumes
        text = " ".join(map(str, container.get("args", ())))
        for path in re.findall(r"(?:^|[ =:])(/[\w.$()-][\w.$()/-]*)", text):
            assert any(path.startswith(f"{mount}/") for mount in mounts) or path.startswith("/dev/"), path


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_settings_are_valid_and_use_only_mounted_paths(name):
    mounted = {mount["mountPath"] for _, container in containers(name) for mount in container["volumeMounts"]}
    for key, settings in settings_of(name):
        if key == "fleet.yaml":
            check_fleet(settings)
        paths = [settings.store.path, settings.fleet.work if key == "fleet.yaml" else None]
        for path in filter(None, paths):
            assert any(path.is_relative_to(mount) for mount in mounted), path
        probed = [c for _, c in containers(name) if "livenessProbe" in c and c["image"].startswith("stream-ocr")]
        for container in probed:
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert settings.service.listen == f"0.0.0.0:{ports['http']}"


def test_secrets_in_settings_are_mounted_where_the_settings_look():
    for name in ("single", "fleet"):
        (source,) = yaml.safe_load(next(MANIFESTS.joinpath(name).glob("[lf]*.yaml")).read_text())["sources"].values()
        folder = str(Path(source["url_file"]).parent)
        for pod, container in containers(name):
            if not container["image"].startswith("stream-ocr") or container["name"] == "collect":
                continue
            mount = next(mount for mount in container["volumeMounts"] if mount["mountPath"] == folder)
            volume = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == mount["name"])
            assert volume["secret"]["secretName"] == "cameras"


def test_images_are_targets_of_the_dockerfile():
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M))
    for name in KUSTOMIZATIONS:
        for _, container in containers(name):
            image, _, tag = container["image"].partition(":")
            assert image == "nats" or tag in {*targets, "latest"}


def test_archive_gives_up_a_part_only_for_files_that_cannot_be_read():
    (job,) = rendered("archive")
    fail, ignore = job["spec"]["podFailurePolicy"]["rules"]
    assert (fail["action"], fail["onExitCodes"]["values"]) == ("FailIndex", [1])
    assert (ignore["action"], ignore["onPodConditions"]) == ("Ignore", [{"type": "DisruptionTarget", "status": "True"}])
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never", "a pod failure policy asks for it"


def test_compose_file_of_a_fleet_uses_what_there_is():
    compose = yaml.safe_load((ROOT / "configs" / "compose.fleet.yaml").read_text())
    services = compose["services"]
    assert services.keys() == {"nats", "head", "host", "collect"}
    assert services["host"]["deploy"] == {"replicas": 2}
    targets = re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert {service["build"]["target"] for service in services.values() if "build" in service} <= set(targets)
    named = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert {name for name in named if not name.startswith(".")} == compose["volumes"].keys()
