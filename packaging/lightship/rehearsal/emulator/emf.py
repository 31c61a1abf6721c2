"""CloudWatch's embedded metric format: metrics that a function printed.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any


def metrics_in(line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The namespace and the datum for PutMetricData of each metric in a log line; nothing for other lines."""
    if '"_aws"' not in line:
        return
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
        time = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
        for directive in directives:
            for names in directive["Dimensions"] or [[]]:
                dimensions = [{"Name": name, "Value": str(document[name])} for name in names]
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": metric["Name"],
                            "Dimensions": dimensions,
                            "Timestamp": time,
                            "Unit": metric.get("Unit", "None"),
                            "Values": values if isinstance(values, list) else [values],
                        },
                    )
    except (ValueError, KeyError, TypeError):
        # As on AWS: a malformed line is a log line and no metric.
        return
