"""Every query of dashboards, alerts and scaling is valid PromQL over metrics and labels that the code really has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from processors.runtime import metrics
from tests.helm.chart import EVERYTHING, FOLDER, NAMESPACE, of_kind, render

DISCOVERED = {"namespace", "pod"}
"""Labels that Prometheus adds when it finds a pod."""
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$namespace": ".*", "$lane": ".*"}
"""What Grafana fills in."""

Query = Any


def known_series() -> dict[str, set[str]]:
    """Names of series, as they are scraped, with their labels."""
    series: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Histogram):
            labels = set(metric._labelnames)
            series |= {f"{metric._name}_bucket": labels | {"le"}}
            series |= {f"{metric._name}_{suffix}": labels for suffix in ("sum", "count")}
        elif isinstance(metric, Counter):
            series[f"{metric._name}_total"] = set(metric._labelnames)
        elif isinstance(metric, Gauge):
            series[metric._name] = set(metric._labelnames)
    return series


def dashboards() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("monitoring/*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "monitoring" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Where a query stands, and the query."""
    for name, dashboard in dashboards():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for name, scaled in of_kind(render(EVERYTHING), "ScaledObject").items():
        for trigger in scaled["spec"]["triggers"]:
            if trigger["type"] == "prometheus":
                yield f"scaling of {name}", trigger["metadata"]["query"]


QUERIES = list(queries())


def filled(query: str) -> str:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def selectors(query: Query) -> Iterator[promql.VectorSelector]:
    """All selectors of series within a query."""
    if isinstance(query, promql.VectorSelector):
        yield query
    elif isinstance(query, promql.MatrixSelector):
        yield query.vector_selector
    elif isinstance(query, promql.Call):
        for argument in query.args:
            yield from selectors(argument)
    elif isinstance(query, promql.BinaryExpr):
        yield from selectors(query.lhs)
        yield from selectors(query.rhs)
    elif isinstance(query, promql.AggregateExpr | promql.ParenExpr | promql.SubqueryExpr | promql.UnaryExpr):
        yield from selectors(query.expr)


def grouped(query: Query) -> Iterator[tuple[set[str], Query]]:
    """Labels that an aggregation keeps, and what it aggregates."""
    if isinstance(query, promql.AggregateExpr):
        yield set(query.modifier.labels) if query.modifier else set(), query.expr
    for part in ("lhs", "rhs", "expr"):
        if hasattr(query, part):
            yield from grouped(getattr(query, part))
    for argument in getattr(query, "args", ()):
        yield from grouped(argument)


def mistakes(query: str) -> list[str]:
    """What is wrong with a query, measured by the metrics of the code."""
    series = known_series()
    try:
        parsed = promql.parse(filled(query))
    except ValueError as error:
        return [str(error)]
    found = []
    for selector in selectors(parsed):
        if selector.name not in series:
            found.append(f"there is no series {selector.name}")
            continue
        used = {matcher.name for matcher in selector.matchers.matchers}
        found += [f"{selector.name} has no label {label}" for label in used - series[selector.name] - DISCOVERED]
    for labels, aggregated in grouped(parsed):
        for selector in selectors(aggregated):
            lacking = labels - series.get(selector.name, labels) - DISCOVERED
            found += [f"{selector.name} has no label {label}" for label in lacking]
    return found


@pytest.mark.parametrize(("place", "query"), QUERIES, ids=[place for place, _ in QUERIES])
def test_a_query_asks_for_what_is_measured(place: str, query: str) -> None:
    assert mistakes(query) == []
    assert list(selectors(promql.parse(filled(query))))


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        ("sum(tingjian_speech_calls_opened)", "there is no series tingjian_speech_calls_opened"),
        ('sum(tingjian_inspect_calls_open{lane="live"})', "tingjian_inspect_calls_open has no label lane"),
        ("sum by (rule) (rate(tingjian_inspect_alerts_total[5m]))", "tingjian_inspect_alerts_total has no label rule"),
        ("sum by (le (tingjian_inspect_calls_open)", "unclosed left parenthesis"),
        ("rate(tingjian_inspect_step_seconds[5m])", "there is no series tingjian_inspect_step_seconds"),
    ],
)
def test_a_wrong_query_would_be_noticed(query: str, mistake: str) -> None:
    assert mistakes(query) == [mistake]


def test_every_processor_has_metrics_on_the_dashboard_and_an_alert() -> None:
    for processor in ("ingest", "speech", "inspect", "sink"):
        for source in ("operations: ", "Tingjian"):
            assert any(f"tingjian_{processor}_" in query for place, query in QUERIES if place.startswith(source))


def test_what_an_alert_tells_is_there_to_tell() -> None:
    """Labels named in its texts survive its aggregation, and it says how urgent it is and what to do."""
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert len(rule["annotations"]["description"]) > 20
        named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        kept = {label for labels, _ in grouped(promql.parse(rule["expr"])) for label in labels}
        kept |= set(re.findall(r'label_replace\([^"]+"(\w+)"', rule["expr"]))
        assert named <= kept, rule["alert"]


def test_panels_explain_themselves_and_do_not_overlap() -> None:
    for name, dashboard in dashboards():
        taken: set[tuple[int, int]] = set()
        identities = [panel["id"] for panel in dashboard["panels"]]
        assert len(identities) == len(set(identities)), name
        for panel in panels(dashboard):
            assert panel["description"], panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not taken & cells, panel["title"]
            assert max(x for x, _ in cells) < 24, panel["title"]
            taken |= cells


def test_the_cluster_gets_alerts_and_dashboards_as_they_are_written() -> None:
    objects = render(EVERYTHING)
    (rule,) = of_kind(objects, "PrometheusRule").values()

    assert [each for group in rule["spec"]["groups"] for each in group["rules"]] == alerts()
    for name, dashboard in dashboards():
        shipped = of_kind(objects, "ConfigMap")[f"dashboard-{name}"]
        assert json.loads(shipped["data"][f"tingjian-{name}.json"]) == dashboard
        assert shipped["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_scaling_asks_about_its_own_namespace_and_lane() -> None:
    for place, query in QUERIES:
        if place.startswith("scaling"):
            assert f'namespace="{NAMESPACE}"' in query
            assert "{{" not in query
            assert 'lane=""' not in query
