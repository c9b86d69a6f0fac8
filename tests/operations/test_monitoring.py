"""Rules, dashboard and document name what the server exports, with the labels that it has, and all of it is documented."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from papertrade.lib import metrics
from papertrade.operations import gauges
from papertrade.operations.gauges import GAUGES
from tests.desk import Desk

DOCS = Path(__file__).resolve().parents[2] / "docs"
FILES = DOCS / "monitoring"
DOCUMENT = (DOCS / "monitoring.md").read_text()
RULES = [rule for group in yaml.safe_load((FILES / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FILES / "dashboard.json").read_text())

WRITTEN = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}  # by kind: what samples are called


def counted() -> list[MetricWrapperBase]:
    """What processes count; every one of the registry, so that one made elsewhere is not missed."""
    return sorted(
        {one for one in REGISTRY._names_to_collectors.values() if isinstance(one, MetricWrapperBase)},
        key=lambda one: one._name,
    )


def exported() -> dict[str, set[str]]:
    """The labels of every sample, by its name."""
    samples = {
        f"{one._name}{ending}": {*one._labelnames, *(["le"] if ending == "_bucket" else [])}
        for one in counted()
        for ending in WRITTEN[one._type]
    }
    return samples | {f"papertrade_{name}": set(gauge.labels) for name, gauge in GAUGES.items()}


def described() -> dict[str, tuple[str, str, str]]:
    """What the document's tables should say: kind, labels and meaning by name."""
    rows = {
        f"{one._name}{'_total' if one._type == 'counter' else ''}": (one._type, one._labelnames, one._documentation)
        for one in counted()
    }
    rows |= {f"papertrade_{name}": ("gauge", gauge.labels, gauge.meaning) for name, gauge in GAUGES.items()}
    return {name: (kind, ", ".join(labels), says.rstrip(".")) for name, (kind, labels, says) in rows.items()}


def expressions() -> list[tuple[str, str]]:
    """Every expression of the rules and of the dashboard, by where it stands."""
    found = [(rule["alert"], rule["expr"]) for rule in RULES]
    for panel in DASHBOARD["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", ())]
    return found


NAMES = re.compile(r"papertrade_\w+")
MATCHERS = re.compile(r"(papertrade_\w+)\{([^}]*)\}")
GROUPS = re.compile(r"(?:by|without) \(([^)]*)\)")


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_what_is_asked_is_exported(where: str, expression: str) -> None:
    known = exported()
    names = NAMES.findall(expression)
    assert names and set(names) <= known.keys()
    for name, matchers in MATCHERS.findall(expression):
        assert {label.strip() for label in re.findall(r"(\w+)\s*[=!]", matchers)} <= known[name]
    labels = set().union(*(known[name] for name in names))
    assert {label.strip() for group in GROUPS.findall(expression) for label in group.split(",")} <= labels


def test_legends_and_summaries_name_labels_that_the_expression_leaves() -> None:
    told = [(rule["expr"], rule["annotations"]["summary"], r"\$labels\.(\w+)") for rule in RULES]
    told += [
        (target["expr"], target["legendFormat"], r"\{\{(\w+)\}\}")
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    ]
    for expression, text, pattern in told:
        left = {label.strip() for group in GROUPS.findall(expression) for label in group.split(",")} - {"le"}
        assert set(re.findall(pattern, text)) <= left, expression


def test_every_metric_is_in_the_document_and_no_other() -> None:
    rows = re.findall(r"^\| `(papertrade_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert {name: (kind, labels, says) for name, kind, labels, says in rows} == described()


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    asked = {name for _, expression in expressions() for name in NAMES.findall(expression)}
    shown = {name for name in described() if any(one.startswith(name) for one in asked)}
    assert described().keys() - shown == set()


def test_every_alert_is_in_the_document_and_says_how_bad_it_is() -> None:
    rows = re.findall(r"^\| `(Papertrade\w+)` \| .+ \|$", DOCUMENT, re.MULTILINE)
    assert sorted(rows) == sorted(rule["alert"] for rule in RULES)
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "warn"}


def test_only_what_is_declared_is_collected(desk: Desk) -> None:
    desk.buy()
    found = {family.name: family for family in gauges.States().collect()}
    assert set(found) <= {f"papertrade_{name}" for name in GAUGES}
    always = {"up", "build_info", "queue_tasks", "session_open", "snapshot_months_ahead"}
    assert {f"papertrade_{name}" for name in always} <= set(found)
    for name, family in found.items():
        for sample in family.samples:
            assert set(sample.labels) == set(GAUGES[name.removeprefix("papertrade_")].labels)
    [open_now] = found["papertrade_session_open"].samples
    assert open_now.value == 1


def test_metrics_are_made_in_one_place() -> None:
    own = {one for value in vars(metrics).values() for one in (value.values() if isinstance(value, dict) else [value])
           if isinstance(one, MetricWrapperBase)}  # fmt: skip
    assert own == set(counted())


@pytest.mark.parametrize("arguments", [("rules", "alerts.yml"), ("config", "prometheus.yml")])
def test_promtool_takes_the_files(arguments: tuple[str, str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus has it")
    kind, name = arguments
    done = subprocess.run([promtool, "check", kind, name], cwd=FILES, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_asks_one_data_source_and_fits_its_grid() -> None:
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place: dict[str, Any] = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
