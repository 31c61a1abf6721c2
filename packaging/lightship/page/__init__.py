"""The live page of a served model: what its telemetry says, in the browser of whoever runs it."""

from lightship.page.drift import Drift
from lightship.page.live import Live
from lightship.page.site import PATH, Site

__all__ = ["PATH", "Drift", "Live", "Site"]
