"""What a service shows on /metrics, read as Prometheus reads it. Used by the tests of the services and across them."""

from collections.abc import Iterable
from dataclasses import dataclass

from observability import Meters, Metric
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """One scrape: the samples of all metrics, and their families by name."""

    text: str

    def value(self, metric: Metric, part: str = "", **labels: str) -> float:
        """The sum of the samples with these labels; of a histogram, `part` says of which of its series."""
        name = metric.name + (part or ("_count" if metric.kind == "histogram" else ""))
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self, metric: Metric, name: str) -> set[str]:
        """The values that a label has."""
        return {
            sample.labels[name]
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name.startswith(metric.name) and name in sample.labels
        }

    def missing(self, metrics: Iterable[Metric]) -> set[str]:
        """Those that are not shown as what they are declared to be, with their words."""
        shown = set(self.text.splitlines())
        return {
            metric.name
            for metric in metrics
            if not {f"# TYPE {metric.name} {metric.kind}", f"# HELP {metric.name} {metric.help}"} <= shown
        }

    def strangers(self, metrics: Iterable[Metric]) -> set[str]:
        """What is shown under our prefix, and is in no list."""
        known = {metric.name for metric in metrics}
        shown = {line.split()[2] for line in self.text.splitlines() if line.startswith("# TYPE threadworks_")}
        return shown - known


async def scrape(meters: Meters) -> Scrape:
    """As the ops port answers /metrics."""
    await meters.refresh()
    return Scrape(generate_latest(meters.registry).decode())
