"""Monitoring from a DataFrame: `make_baseline`, `monitor`, and `render_report` for the HTML page."""

from lightship.monitoring.api import make_baseline, monitor
from lightship.monitoring.report.page import render_report

__all__ = ["make_baseline", "monitor", "render_report"]
