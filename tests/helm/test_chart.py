"""The chart runs what topology.yaml says, as the code expects it, in objects that Kubernetes takes."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import typer
import yaml

from processors.cli import app
from processors.ingest import server
from processors.runtime import agents, kafka
from processors.runtime.settings import Settings, load_settings
from processors.sink import agent as sink
from processors.sink.queries import GROUP
from processors.speech import agent as speech
from processors.topology import load, parse
from tests.helm.chart import EVERYTHING, FOLDER, ROOT, container, of_kind, pod_specs, render, shipped_map, workloads

OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
CUSTOM = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}
"""Kinds of other projects, of which Kubernetes has no schema."""
REVIEW = {"reads": ["cases.commands"], "writes": ["cases.events"], "runtime": "faust", "replicas": [2, 6]}
CASES = {"cases.commands": {"key": "case_id", "partitions": 12}, "cases.events": {"key": "case_id", "partitions": 12}}


def test_lint_finds_nothing() -> None:
    report = helm.lint(FOLDER, shipped_map(), strict=True, kube_version="v1.30.0")

    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_kubernetes_takes_every_object(values: dict[str, Any], version: str) -> None:
    unknown = set()
    for found in render(values):
        try:
            kubernetes_validate.validate(found, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            unknown.add(found["kind"])

    assert unknown == (CUSTOM if values else set())


def test_an_object_that_kubernetes_refuses_would_be_noticed() -> None:
    (job,) = of_kind(render(), "Job").values()
    job["spec"]["template"]["spec"]["restartPolice"] = "Never"

    with pytest.raises(kubernetes_validate.ValidationError, match="restartPolice"):
        kubernetes_validate.validate(job, NEWEST, strict=True)


def test_no_two_objects_have_one_name() -> None:
    names = Counter((found["kind"], found["metadata"]["name"]) for found in render(EVERYTHING))

    assert [name for name, count in names.items() if count > 1] == []


def test_every_processor_of_the_map_runs_once_for_each_lane() -> None:
    wanted = {
        f"{name}-{lane}" if lane else name: ["run", name, *(["--lane", lane] if lane else [])]
        for name, processor in load().processors.items()
        for lane in processor.lanes or ("",)
    }

    found = workloads(render())

    assert {name: container(workload)["args"] for name, workload in found.items()} == wanted


def test_what_pods_and_the_setup_job_run_are_commands_of_the_command_line() -> None:
    root = typer.main.get_command(app)
    for name, spec in pod_specs(render(EVERYTHING)):
        for each in [*spec.get("initContainers", []), *spec["containers"]]:
            command: Any = root
            words = list(each["args"])
            while hasattr(command, "commands"):
                command = command.commands[words.pop(0)]
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= options, name


def test_a_processor_that_is_added_to_the_map_needs_no_change_of_the_chart() -> None:
    before, after = render(), render({"processors": {"review": REVIEW}, "topics": CASES})

    added = workloads(after).keys() - workloads(before).keys()
    assert added == {"review"}
    assert workloads(after)["review"]["spec"]["replicas"] == 2
    assert {"review"} == of_kind(after, "PodDisruptionBudget").keys() - of_kind(before, "PodDisruptionBudget").keys()


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ({"inspect": {"replicas": [3, 9]}}, ("inspect", "replicas"), 3),
        ({"speech": {"lanes": ["live", "recordings"], "gpu": 2}}, ("speech-live", "gpu"), 2),
        ({"speech": {"gpu": 0}}, ("speech-live", "gpu"), None),
    ],
)
def test_a_change_of_the_map_changes_what_runs(change: dict[str, Any], path: tuple[str, str], value: object) -> None:
    def seen(name: str, what: str, objects: list[dict[str, Any]]) -> object:
        workload = workloads(objects)[name]
        if what == "replicas":
            return workload["spec"]["replicas"]
        return container(workload)["resources"]["limits"].get("nvidia.com/gpu")

    assert seen(*path, render()) != value
    assert seen(*path, render({"processors": change})) == value


def test_a_change_of_the_map_starts_all_pods_anew() -> None:
    def generation(objects: list[dict[str, Any]]) -> set[str]:
        found = workloads(objects).values()
        return {each["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for each in found}

    assert generation(render()) == generation(render())
    assert not generation(render()) & generation(render({"topics": {"alerts": {"partitions": 48}}}))


def test_a_job_runs_on_the_schedule_that_is_set_for_it() -> None:
    insight = {"processors": {"insight": {"runtime": "job"}}}

    with pytest.raises(helm.HelmError, match=re.escape("workloads.insight.schedule")):
        render(insight)
    objects = render(insight, {"workloads": {"insight": {"schedule": "0 3 * * *"}}})

    (job,) = of_kind(objects, "CronJob").values()
    kubernetes_validate.validate(job, NEWEST, strict=True)
    assert job["spec"]["schedule"] == "0 3 * * *"
    assert "insight" not in of_kind(objects, "Service")


def test_the_pods_read_the_same_map() -> None:
    texts = {
        found["metadata"]["name"]: found["data"]["topology.yaml"]
        for found in render()
        if found["kind"] == "ConfigMap" and "topology.yaml" in found["data"]
    }

    assert len(texts) == 2  # of the pods, and of the job that runs before there is any
    for text in texts.values():
        source = parse(text)
        assert source.problems == ()
        assert source.topology == load()


def test_every_setting_in_the_cluster_is_a_setting_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = render(EVERYTHING, {"settings": {"asr_model": "/models/mine.nemo", "speech_slots": 256}})
    settings = of_kind(objects, "ConfigMap")["settings"]["data"]
    names = set(settings)
    for _, spec in pod_specs(objects):
        for each in [*spec.get("initContainers", []), *spec["containers"]]:
            names |= {variable["name"] for variable in each["env"]}

    ours = {f"TINGJIAN_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if name.startswith("TINGJIAN_")} - ours == set()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    loaded = load_settings()
    assert (loaded.kafka, loaded.kafka_security, loaded.speech_slots) == ("kafka:9092", "sasl_ssl", 256)
    assert loaded.clickhouse_cluster == "main"


def test_passwords_are_only_ever_referred_to() -> None:
    objects = render(EVERYTHING)

    assert of_kind(objects, "Secret") == {}
    assert not any(key.removeprefix("TINGJIAN_") == "CLICKHOUSE" for key in _config_keys(objects))
    for name in ("TINGJIAN_KAFKA_PASSWORD", "TINGJIAN_CLICKHOUSE", "TINGJIAN_DOOR_TOKEN", "TINGJIAN_TWILIO_AUTH_TOKEN"):
        variables = [v for v in container(workloads(objects)["ingest"])["env"] if v["name"] == name]
        assert [set(v["valueFrom"]) for v in variables] == [{"secretKeyRef"}], name


def _config_keys(objects: list[dict[str, Any]]) -> set[str]:
    return {key for found in objects if found["kind"] == "ConfigMap" for key in found["data"]}


def test_a_consumer_is_a_static_member_under_the_name_of_its_pod() -> None:
    objects = render()
    for name, workload in of_kind(objects, "StatefulSet").items():
        variables = {v["name"]: v for v in container(workload)["env"]}
        assert variables["TINGJIAN_INSTANCE_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}, name
        service = of_kind(objects, "Service")[name]
        assert workload["spec"]["serviceName"] == service["metadata"]["name"]
        assert service["spec"]["clusterIP"] == "None"


def test_scaling_asks_the_consumer_groups_of_the_code() -> None:
    objects = render(
        EVERYTHING, {"workloads": {"speech": {"autoscaling": {"lag": 1}}, "inspect": {"autoscaling": {"lag": 1}}}}
    )
    asked = {
        name: {
            (trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"])
            for trigger in found["spec"]["triggers"]
            if trigger["type"] == "kafka"
        }
        for name, found in of_kind(objects, "ScaledObject").items()
    }

    inspect = agents.AgentSpec("inspect", "calls.timeline", "calls")
    assert asked == {
        "ingest": set(),
        "speech-live": {(speech.GROUPS["live"], speech.MEDIA["live"])},
        "speech-recordings": {(speech.GROUPS["recordings"], speech.MEDIA["recordings"])},
        "inspect": {(inspect.group, inspect.topic)},
        "sink": {(GROUP, topic) for topic in load().processors["sink"].reads},
    }


def test_scaling_stays_between_the_replicas_of_the_map() -> None:
    objects = render(EVERYTHING)
    for name, found in of_kind(objects, "ScaledObject").items():
        least, most = load().processors[name.split("-")[0]].replicas
        assert (found["spec"]["minReplicaCount"], found["spec"]["maxReplicaCount"]) == (least, most)
        target = found["spec"]["scaleTargetRef"]
        assert target["name"] in {each["metadata"]["name"] for each in objects if each["kind"] == target["kind"]}
    assert all("replicas" not in workload["spec"] for workload in workloads(objects).values())


def test_a_pod_has_longer_to_stop_than_what_it_may_wait_for() -> None:
    """`speech` delivers outputs, then bookmarks, and commits; `sink` delivers dead letters after its insert."""
    pre_stop_s = 10
    most_s = {
        "ingest": pre_stop_s + server.CLOSE_S + server.FLUSH_S,
        "speech-live": 2 * speech.DELIVERY_S + kafka.REQUEST_TIMEOUT_S,
        "speech-recordings": 2 * speech.DELIVERY_S + kafka.REQUEST_TIMEOUT_S,
        "inspect": agents.DRAIN_S + kafka.REQUEST_TIMEOUT_S,
        "sink": sink.RETRY_S + sink.DELIVERY_S + kafka.REQUEST_TIMEOUT_S,
    }
    graces = {
        name: workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for name, workload in workloads(render()).items()
    }

    assert graces.keys() == most_s.keys()
    assert {name: grace for name, grace in graces.items() if grace <= most_s[name]} == {}


def test_every_pod_is_restricted() -> None:
    for name, spec in pod_specs(render(EVERYTHING)):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        for each in [*spec.get("initContainers", []), *spec["containers"]]:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            mounted = {mount["name"] for mount in each["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in spec["volumes"]}, name


def test_probes_ask_what_the_health_server_answers() -> None:
    objects = render()
    for name, workload in workloads(objects).items():
        only = container(workload)
        paths = {only[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert paths == {"/livez", "/readyz"}, name
        assert only["readinessProbe"]["httpGet"]["path"] == "/readyz"
        port = next(port["containerPort"] for port in only["ports"] if port["name"] == "metrics")
        assert of_kind(objects, "ConfigMap")["settings"]["data"]["TINGJIAN_METRICS_PORT"] == str(port)


def test_the_door_listens_where_its_service_leads() -> None:
    objects = render(EVERYTHING)
    only = container(workloads(objects)["ingest"])
    port = next(port["containerPort"] for port in only["ports"] if port["name"] == "door")
    values = {v["name"]: v.get("value") for v in only["env"]}

    assert values["TINGJIAN_DOOR_PORT"] == str(port)
    assert {"name": "door", "port": port, "targetPort": "door"} in of_kind(objects, "Service")["ingest"]["spec"][
        "ports"
    ]
    (ingress,) = of_kind(objects, "Ingress").values()
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": of_kind(objects, "Service")["ingest"]["metadata"]["name"], "port": {"name": "door"}}


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "NetworkPolicy"])
def test_what_selects_pods_selects_those_of_one_workload(kind: str) -> None:
    objects = render(EVERYTHING)
    pods = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in workloads(objects).items()}
    for name, found in of_kind(objects, kind).items():
        spec = found["spec"]
        selector = spec["selector"] if kind == "Service" else (spec.get("selector") or spec["podSelector"])
        selector = selector.get("matchLabels", selector)
        assert [pod for pod, labels in pods.items() if selector.items() <= labels.items()] == [name]


def test_the_network_policy_opens_the_ports_of_the_brokers() -> None:
    objects = render(EVERYTHING, {"kafka": {"bootstrap": "a:9093, b:9094,c:9093"}})
    ports = [
        port["port"] for rule in of_kind(objects, "NetworkPolicy")["sink"]["spec"]["egress"] for port in rule["ports"]
    ]

    assert ports == [53, 53, 9093, 9094, 8123, 8081]


def test_topics_and_tables_are_made_before_anything_else() -> None:
    hooks = {
        found["kind"]: found["metadata"]["annotations"]
        for found in render()
        if "helm.sh/hook" in found["metadata"].get("annotations", {})
    }
    (job,) = of_kind(render(), "Job").values()
    spec = job["spec"]["template"]["spec"]

    assert hooks.keys() == {"ConfigMap", "Job"}
    assert {each["helm.sh/hook"] for each in hooks.values()} == {"pre-install,pre-upgrade"}
    assert int(hooks["ConfigMap"]["helm.sh/hook-weight"]) < int(hooks["Job"]["helm.sh/hook-weight"])
    assert [each["args"] for each in spec["initContainers"]] == [["topology", "apply"]]
    assert [each["args"] for each in spec["containers"]] == [["migrate"]]
    # What the job refers to exists at that time: its own ConfigMap, and what people have made.
    assert {v["configMap"]["name"] for v in spec["volumes"] if "configMap" in v} == {job["metadata"]["name"]}


def test_without_the_map_the_error_says_how_to_give_it() -> None:
    with helm.Chart.load(FOLDER) as chart, pytest.raises(helm.HelmError, match=re.escape("-f topology.yaml")):
        chart.render({}, name="centre", namespace="prod")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kafak": {}}, "kafak"),
        ({"kafka": {"bootstrap": "kafka"}}, "bootstrap"),
        ({"kafka": {"security": "tls"}}, "security"),
        ({"processors": {"sink": {"runtime": "spark"}}}, "runtime"),
        ({"processors": {"sink": {"replica": 3}}}, "replica"),
        ({"topics": {"alerts": {"keep": "7 days"}}}, "keep"),
        ({"workloads": {"sink": {"memory": "1Gi"}}}, "memory"),
        ({"autoscaling": {"enabled": True}}, "autoscaling.prometheus"),
        ({"kafka": {"security": "sasl_ssl"}}, "kafka.existingSecret"),
    ],
)
def test_wrong_values_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(named)):
        render(wrong)


def test_the_schema_of_the_values_knows_every_field_of_the_map() -> None:
    """A field that is added to the map must not be refused by the chart."""
    schema = yaml.safe_load((FOLDER / "values.schema.json").read_text(encoding="utf-8"))["properties"]
    topology = load()
    for part, example in (("topics", topology.topics["alerts"]), ("processors", topology.processors["sink"])):
        known = set(schema[part]["additionalProperties"]["properties"])
        fields = {"from" if field.name == "from_" else field.name for field in dataclasses.fields(example)}
        assert known == fields


def test_the_image_copies_what_exists() -> None:
    dockerfile = (ROOT / "helm" / "Dockerfile").read_text(encoding="utf-8")
    ignore = (ROOT / "helm" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    sources = {name for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE) for name in line.split()[:-1]}

    assert sources == {line[1:] for line in ignore if line.startswith("!")}
    assert all((ROOT / name).exists() for name in sources)
    assert f"mountPath: {re.search(r'^WORKDIR (.+)$', dockerfile, re.MULTILINE)[1]}/topology.yaml" in (
        FOLDER / "templates" / "_pod.tpl"
    ).read_text(encoding="utf-8")


def test_links_of_the_readme_lead_to_files() -> None:
    text = (ROOT / "helm" / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)

    assert links
    assert [link for link in links if not (ROOT / "helm" / link).exists()] == []
