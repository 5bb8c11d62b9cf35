"""The RayJob of docs/cluster: its fields are those of KubeRay, and its command is a search that a Ray job can run."""

import importlib.util
import json
import re
import secrets
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.ray_cluster import BIN, HEAD, NODES, PORT, START_SECONDS, Network, closing, possible

from experiments.cli import main as cli
from experiments.config.folders import SearchFolder

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "cluster" / "rayjob.yaml").read_text("utf-8")
CLAIM, JOB = yaml.safe_load_all(TEXT)
CLUSTER = JOB["spec"]["rayClusterSpec"]
# The fields of docs/reference/api.md in the repository of KubeRay, read when 1.7 was the newest version. `authOptions`
# is new in 1.5.1. Since 1.6 KubeRay asks for a node's health by HTTP, and the image needs no wget.
JOB_FIELDS = {"activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint", "jobId"}
JOB_FIELDS |= {"entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "managedBy", "metadata", "suspend"}
JOB_FIELDS |= {"preRunningDeadlineSeconds", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes"}
JOB_FIELDS |= {"submissionMode", "submitterConfig", "submitterPodTemplate", "ttlSecondsAfterFinished"}
CLUSTER_FIELDS = {"authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "suspend"}
CLUSTER_FIELDS |= {"headGroupSpec", "headServiceAnnotations", "managedBy", "rayVersion", "upgradeStrategy"}
CLUSTER_FIELDS |= {"workerGroupSpecs"}
GROUP_FIELDS = {"labels", "rayStartParams", "resources", "template"}
HEAD_FIELDS = GROUP_FIELDS | {"enableIngress", "headService", "serviceType"}
WORKER_FIELDS = GROUP_FIELDS | {"groupName", "idleTimeoutSeconds", "maxReplicas", "minReplicas", "numOfHosts"}
WORKER_FIELDS |= {"replicas", "scaleStrategy", "suspend"}
# Some fields of Kubernetes 1.31: Pod, Container, PodSecurityContext.
POD_FIELDS = {"affinity", "containers", "imagePullSecrets", "nodeSelector", "securityContext", "tolerations", "volumes"}
CONTAINER_FIELDS = {"env", "image", "imagePullPolicy", "name", "ports", "resources", "volumeMounts", "workingDir"}
USER_FIELDS = {"fsGroup", "runAsGroup", "runAsNonRoot", "runAsUser"}

SMALL = "-o length=5 -o train=64 -o val=16 --cells gru --depth 1 --width 4 --trials 2 --epochs 1 --no-horizon"
AGENT = 52365  # the port at which KubeRay asks a node whether it is well
# KubeRay lets a worker wait for the head, too.
WORKER = 'until (exec 3<>"/dev/tcp/$0/$1") 2>/dev/null; do sleep 1; done; shift; exec "$@"'
# Asks for a job as KubeRay does in HTTPMode, and prints its end.
SUBMIT = """
import json, os, sys, time, urllib.error, urllib.request

def ask(path, body=None, port=8265):
    token = {"x-ray-authorization": "Bearer " + os.environ["RAY_AUTH_TOKEN"], "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    while True:
        try:
            request = urllib.request.Request(f"http://{sys.argv[1]}:{port}{path}", data, token)
            return urllib.request.urlopen(request, timeout=30).read().decode()
        except (ConnectionError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError):
                sys.exit(f"{error.code} {error.read()}")
            time.sleep(1)

ask("/api/healthz", port=int(sys.argv[2]))
job = json.loads(ask("/api/jobs/", {"entrypoint": sys.argv[3], "submission_id": sys.argv[4]}))["submission_id"]
while json.loads(ask(f"/api/jobs/{job}"))["status"] in ("PENDING", "RUNNING"):
    time.sleep(1)
print(json.dumps([json.loads(ask(f"/api/jobs/{job}"))["status"], json.loads(ask(f"/api/jobs/{job}/logs"))["logs"]]))
"""


def no_jobs() -> str:
    """Why there can be no Ray job here; "" if there can be one."""
    if reason := possible():
        return reason
    whole = all(map(importlib.util.find_spec, ("aiohttp_cors", "opencensus", "prometheus_client")))
    return "" if whole else "the extra `kubernetes` is not installed"


def with_gpus() -> dict[str, Any]:
    """The RayJob with the block of GPUs, whose lines are comments in the file."""
    first, last = TEXT.split("--build-arg gpu=1:\n")
    _, job = yaml.safe_load_all(first + "\n" + re.sub(r"^( *)# ", r"\1", last, flags=re.MULTILINE))
    return dict(job)


def check_pod(pod: dict[str, Any]) -> dict[str, Any]:
    assert set(pod) <= POD_FIELDS and set(pod["securityContext"]) <= USER_FIELDS
    (container,) = pod["containers"]
    assert set(container) <= CONTAINER_FIELDS
    assert container["resources"]["requests"] == container["resources"]["limits"]  # Ray counts the limits
    return dict(container)


@pytest.mark.parametrize("job", [JOB, with_gpus()], ids=["cores", "GPUs"])
def test_the_fields_are_those_of_kuberay(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch("[a-z]([-a-z0-9]{0,45}[a-z0-9])?", job["metadata"]["name"])
    cluster = job["spec"]["rayClusterSpec"]
    assert set(job["spec"]) <= JOB_FIELDS and set(cluster) <= CLUSTER_FIELDS
    assert set(cluster["headGroupSpec"]) <= HEAD_FIELDS
    containers = [check_pod(cluster["headGroupSpec"]["template"]["spec"])]
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= WORKER_FIELDS
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"]
        containers.append(check_pod(group["template"]["spec"]))
    assert len({container["image"] for container in containers}) == 1, "a search compares versions and commit"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_block_of_gpus() -> None:
    *_, group = with_gpus()["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_the_cluster_asks_for_a_token_that_nobody_writes_down() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert JOB["spec"]["submissionMode"] == "HTTPMode"
    assert "env:" not in TEXT and "kind: Secret" not in TEXT
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert re.findall("^ray==(.+)$", lock, re.MULTILINE) == [CLUSTER["rayVersion"]]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert [line.replace("ray[default]", "ray") for line in extras["kubernetes"]] == extras["ray"]


def test_the_search_lies_on_the_volume() -> None:
    pod = CLUSTER["headGroupSpec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": CLAIM["metadata"]["name"]}
    assert container["volumeMounts"] == [{"mountPath": container["workingDir"], "name": volume["name"]}]
    assert not any("volumes" in group["template"]["spec"] for group in CLUSTER["workerGroupSpecs"])


def test_the_entrypoint_is_a_search_that_goes_on() -> None:
    program, *words = shlex.split(JOB["spec"]["entrypoint"])
    parsed = cli.parse(words)
    assert (program, parsed.command, parsed.engine, parsed.workers) == ("recurrent", "search", "ray", "auto")
    assert parsed.address == "$RAY_ADDRESS" and parsed.name and parsed.resume
    assert JOB["spec"]["backoffLimit"] > 0
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0", "no worker takes the launcher's cores"


def asked(network: Network, name: str) -> list[str]:
    """The status at the end of a Ray job that runs the entrypoint, and what it has printed."""
    entrypoint = f"{JOB['spec']['entrypoint']} {SMALL}"
    job = network.begin(sys.executable, "-c", SUBMIT, HEAD, str(AGENT), entrypoint, name)
    out, errors = job.communicate(timeout=START_SECONDS + 300)
    assert job.returncode == 0, errors
    return list(json.loads(out))


@pytest.mark.slow
@pytest.mark.skipif(bool(reason := no_jobs()), reason=reason or "it is possible")
def test_a_ray_job_runs_it_and_goes_on(tmp_path: Path) -> None:
    """The pods are two nodes in a network of their own. They start with the options that KubeRay gives to `ray`."""
    with closing(Network(tmp_path)) as network:
        network.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        network.environment["PATH"] = f"{BIN}:{network.environment['PATH']}"
        place = f"/tmp/ray-{network.holder.pid}"  # the path of a socket has at most 107 characters
        given = [f"--{name}={value}" for name, value in CLUSTER["headGroupSpec"]["rayStartParams"].items()]
        node = ("--block", f"--dashboard-agent-listen-port={AGENT}")
        head = ("--head", f"--port={PORT}", "--dashboard-host=0.0.0.0", f"--temp-dir={place}", *given, *node)
        pods = [network.begin("ray", "start", f"--node-ip-address={HEAD}", *head)]
        worker = (f"--node-ip-address={NODES[0]}", f"--address={HEAD}:{PORT}", "--num-cpus=1", *node)
        pods += [network.begin("bash", "-c", WORKER, HEAD, str(PORT), "ray", "start", *worker)]
        for name in ("first", "again"):
            status, printed = asked(network, name)
            assert status == "SUCCEEDED", printed[-3000:]
    for pod in pods:
        pod.communicate()
    trials = SearchFolder(tmp_path / "searches" / JOB["metadata"]["name"]).trials()
    assert [trial.journal.events()[-1]["outcome"] for trial in trials] == ["completed"] * 2
