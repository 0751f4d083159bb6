"""`launch/gke.sh` and `launch/gke_jobset.yaml`."""

import copy
import functools
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.launch.schema import errors
from tests.launch.scripts import HERE, ROOT, run

SETTINGS = {
    "NAME": "x2",
    "TOPOLOGY": "4x8",
    "WORKDIR": "gs://bucket/runs/x2",
    "IMAGE": "us-docker.pkg.dev/project/images/sr_jax:1",
}
SCHEMAS = yaml.safe_load((HERE / "schemas.yaml").read_text())


def launch(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run("gke.sh", *arguments, settings={**SETTINGS, **settings}, stand_ins=False)


def as_it_is() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "launch/gke_jobset.yaml").read_text()))


def filled_in(*arguments: str, **settings: str) -> list[dict[str, Any]]:
    lines = launch("--dry-run", "start", "--", *arguments, **settings).stdout.splitlines()
    assert lines[0] == "kubectl apply --filename=- <<'MANIFEST'"
    assert lines[-1] == "MANIFEST"
    return list(yaml.safe_load_all("\n".join(lines[1:-1])))


manifests = pytest.mark.parametrize("objects", [as_it_is(), filled_in("--config", "configs/x2.py")], ids=["file", "filled in"])


def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return objects[3]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]


@manifests
def test_the_manifest_keeps_to_the_schema_of_the_fields_in_use(objects):
    assert [item["kind"] for item in objects] == ["ServiceAccount", "Role", "RoleBinding", "JobSet"]
    for item in objects:
        assert list(errors(item, SCHEMAS[item["kind"]])) == []


@functools.cache
def read_crd(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def jobset_crd() -> dict[str, Any]:
    folder = os.environ.get("SR_JAX_ORACLES")
    if not folder:
        pytest.skip("SR_JAX_ORACLES does not name the folder with jobset-crd.yaml")
    versions = read_crd(Path(folder) / "jobset-crd.yaml")["spec"]["versions"]
    [version] = [version for version in versions if version["name"] == "v1alpha2"]
    schema = version["schema"]["openAPIV3Schema"]
    assert schema["properties"]["metadata"] == {"type": "object"}  # the API server checks it, with this schema:
    return {**schema, "properties": {**schema["properties"], "metadata": SCHEMAS["JobSet"]["properties"]["metadata"]}}


@manifests
def test_the_manifest_keeps_to_the_crd_of_jobset(objects):
    assert list(errors(objects[3], jobset_crd())) == []


def broken(jobset: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    jobset = copy.deepcopy(jobset)
    *folders, last = [int(name) if name.isdigit() else name for name in path.split(".")]
    place: Any = jobset
    for name in folders:
        place = place[name]
    place[last] = value
    return jobset


POD = "spec.replicatedJobs.0.template.spec.template.spec"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("spec.failurePolicy.maxRetries", 3, ".spec.failurePolicy.maxRetries: unknown field"),
        ("spec.failurePolicy.maxRestarts", "3", ".spec.failurePolicy.maxRestarts: '3' is no integer"),
        ("spec.failurePolicy.rules.0.action", "Restart", ".spec.failurePolicy.rules[0].action: 'Restart' is not in "),
        (f"{POD}.containers.0.arg", [], ".spec.replicatedJobs[0].template.spec.template.spec.containers[0].arg: unknown field"),
        (f"{POD}.nodeSelectors", {}, ".spec.replicatedJobs[0].template.spec.template.spec.nodeSelectors: unknown field"),
        (
            f"{POD}.containers.0",
            {"image": "x"},
            ".spec.replicatedJobs[0].template.spec.template.spec.containers[0].name: missing",
        ),
        ("metadata.label", {}, ".metadata.label: unknown field"),
    ],
)
@pytest.mark.parametrize("schema", ["own", "crd"])
def test_the_check_finds_mistakes(schema, path, value, message):
    [error] = errors(broken(as_it_is()[3], path, value), SCHEMAS["JobSet"] if schema == "own" else jobset_crd())
    assert error.startswith(message)


def action(jobset: dict[str, Any], *, status: int, disrupted: bool) -> str:
    """What happens when a container ends: the rules of Kubernetes' Job controller, and then those of JobSet's controller."""
    job = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
    reason, message = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    for index, rule in enumerate(job["podFailurePolicy"]["rules"]):
        if "onExitCodes" in rule and status in rule["onExitCodes"]["values"]:
            name = rule["onExitCodes"]["containerName"]
            message = (
                f"Container {name} for pod default/x2-0 failed with exit code {status} matching FailJob rule at index {index}"
            )
            reason = "PodFailurePolicy"
            break
        if "onPodConditions" in rule and disrupted:
            message = f"Pod default/x2-0 has condition DisruptionTarget matching FailJob rule at index {index}"
            reason = "PodFailurePolicy"
            break
    for rule in jobset["spec"]["failurePolicy"]["rules"]:
        patterns = rule.get("onJobFailureMessagePatterns", [""])
        if reason in rule["onJobFailureReasons"] and any(re.search(pattern, message) for pattern in patterns):
            return rule["action"]
    return "RestartJobSet"


@manifests
@pytest.mark.parametrize(
    ("status", "disrupted", "expected"),
    [
        (2, False, "FailJobSet"),
        (75, False, "RestartJobSetAndIgnoreMaxRestarts"),
        (75, True, "RestartJobSetAndIgnoreMaxRestarts"),
        (137, True, "RestartJobSetAndIgnoreMaxRestarts"),
        (137, False, "RestartJobSet"),
        (1, False, "RestartJobSet"),
    ],
)
def test_the_exit_status_decides_about_a_restart(objects, status, disrupted, expected):
    assert action(objects[3], status=status, disrupted=disrupted) == expected


@manifests
def test_one_host_that_fails_ends_its_job(objects):
    job = objects[3]["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert job["backoffLimit"] == 0
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] == pod(objects)["containers"][0]["name"]


@manifests
def test_the_hosts_have_all_chips_of_the_topology(objects):
    job = objects[3]["spec"]["replicatedJobs"][0]["template"]["spec"]
    resources = pod(objects)["containers"][0]["resources"]
    rows, columns = pod(objects)["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")
    assert job["parallelism"] == job["completions"]
    assert job["parallelism"] * resources["limits"]["google.com/tpu"] == int(rows) * int(columns)
    assert resources["requests"] == resources["limits"]


@manifests
def test_the_pods_may_do_what_jax_asks_of_the_api_server(objects):
    account, role, binding, _ = objects
    assert pod(objects)["serviceAccountName"] == account["metadata"]["name"] == binding["subjects"][0]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert {item["metadata"]["namespace"] for item in objects} == {binding["subjects"][0]["namespace"]}
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    # `jax/_src/clusters/k8s_cluster.py` calls list_namespaced_pod, list_namespaced_service and read_namespaced_job.
    assert allowed >= {("", "pods", "list"), ("", "services", "list"), ("batch", "jobs", "get")}


def test_arguments_reach_the_pods_unchanged():
    arguments = ["--config", "configs/x2.py", "--config.name", 'a "b" \\ c: # NAME']
    container = pod(filled_in(*arguments, NAMESPACE="research", RESTARTS="3"))["containers"][0]
    assert container["args"] == ["--workdir", "gs://bucket/runs/x2", *arguments]
    assert container["image"] == SETTINGS["IMAGE"]
    assert container["command"] == ["python", "-m", "sr_jax.train", "--distributed"]


def test_settings_reach_the_manifest():
    objects = filled_in("--config", "x", NAMESPACE="research", RESTARTS="3", ACCELERATOR="tpu-v5p-slice", TOPOLOGY="2x2x4")
    assert {item["metadata"]["namespace"] for item in objects} == {"research"}
    assert objects[3]["metadata"]["name"] == "x2"
    assert objects[3]["spec"]["failurePolicy"]["maxRestarts"] == 3
    assert pod(objects)["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5p-slice",
        "cloud.google.com/gke-tpu-topology": "2x2x4",
    }


@pytest.mark.parametrize("verb", ["start", "logs", "fetch", "delete"])
def test_a_dry_run_prints_the_commands(verb):
    result = launch("--dry-run", verb, *(["--", "--config", "configs/x2.py"] if verb == "start" else []))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (HERE / f"golden/gke_{verb}.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ([], {}, "what should be done?"),
        (["begin"], {}, "begin: there are"),
        (["start"], {}, "start needs the arguments of sr_jax.train"),
        (["delete", "--", "x"], {}, "delete takes no arguments"),
        (["logs"], {"NAME": ""}, "NAME is not set. It should be, for example, NAME=x2"),
        (["logs"], {"NAME": "My_run"}, "NAME=My_run: it should have small letters"),
        (["start", "--", "x"], {"WORKDIR": "runs/x2"}, "WORKDIR=runs/x2: all hosts must reach it"),
        (["start", "--", "x"], {"TOPOLOGY": "16"}, "TOPOLOGY=16: it should be like 4x4"),
        (["start", "--", "x"], {"TOPOLOGY": "1x1"}, "TOPOLOGY=1x1 has fewer chips than one host"),
        (["start", "--", "x"], {"CHIPS": "0"}, "CHIPS=0: it should be"),
    ],
)
def test_wrong_input_has_status_2(arguments, settings, message):
    result = launch(*arguments, **settings)
    assert result.returncode == 2
    assert result.stderr.startswith(f"launch/gke.sh: {message}")
