"""The chart, rendered by Helm's own library: values in, Kubernetes objects out."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "helm" / "tingjian"
NAMESPACE = "prod"
RELEASE = "centre"
PREFIX = f"{RELEASE}-tingjian"
Object = dict[str, Any]

EVERYTHING: Object = {
    "autoscaling": {"enabled": True, "prometheus": "http://prometheus:9090"},
    "networkPolicy": {"enabled": True, "egress": [{"ports": [{"port": 8081}]}]},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
    "monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "kafka": {"security": "sasl_ssl", "existingSecret": "kafka", "privateAuthority": True},
    "clickhouse": {"existingSecret": "clickhouse", "cluster": "main"},
    "schemaRegistry": "http://registry:8081",
    "door": {"existingSecret": "door", "twilio": True},
    "gpu": {"runtimeClassName": "nvidia", "nodeSelector": {"pool": "gpu"}},
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"owner": "qa"},
    "podAnnotations": {"note": "1"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraEnvFrom": [{"secretRef": {"name": "more"}}],
    "extraVolumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
    "extraVolumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}],
    "workloads": {"default": {"priorityClassName": "calls", "affinity": {"nodeAffinity": {}}}},
}
"""Values under which the chart makes every object that it can make."""


def shipped_map() -> Object:
    """topology.yaml, as `-f` hands it to Helm."""
    found: Object = yaml.safe_load((ROOT / "topology.yaml").read_text(encoding="utf-8"))
    return found


def render(*overrides: Object) -> list[Object]:
    """All objects of an installation; the values are laid over topology.yaml one after the other."""
    values = shipped_map()
    for override in overrides:
        values = laid_over(values, override)
    with helm.Chart.load(FOLDER) as chart:
        manifests = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    return [
        found
        for path, text in sorted(manifests.items())
        if path.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found
    ]


def laid_over(values: Object, override: Object) -> Object:
    """As Helm lays one values file over another: mappings are merged, the rest is replaced."""
    result = deepcopy(values)
    for key, value in override.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = laid_over(result[key], value) if both else deepcopy(value)
    return result


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """Objects of a kind by their names without the prefix of the release."""
    return {found["metadata"]["name"].removeprefix(f"{PREFIX}-"): found for found in objects if found["kind"] == kind}


def workloads(objects: list[Object]) -> dict[str, Object]:
    """What runs all the time, by component."""
    return of_kind(objects, "StatefulSet") | of_kind(objects, "Deployment")


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """The pods of everything that has some, with the name of what has them."""
    for found in objects:
        spec = found.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if found["kind"] in {"StatefulSet", "Deployment", "Job", "CronJob"}:
            yield found["metadata"]["name"], spec["template"]["spec"]


def container(workload: Object) -> Object:
    """The one container of a workload."""
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    found: Object = only
    return found
