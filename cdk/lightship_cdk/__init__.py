"""CDK constructs that deploy a Lightship release.

`ModelService` is the whole: function, alias, endpoint, alarms and gradual shift. The constructs beneath it
(`PredictFunction`, `HttpEndpoint`, `RestEndpoint`, `Notifications`, `Alarms`, `Rollout`) can be used alone.
"""

from lightship_cdk.alarm_table import ALARMS, COMPOSITES, AlarmRow, CompositeRow, MetricRef
from lightship_cdk.alarms import Alarms
from lightship_cdk.batch import ScheduledBatch
from lightship_cdk.batch_settings import BatchSettings
from lightship_cdk.checks import add_checks, synthesise
from lightship_cdk.comparison import Comparison
from lightship_cdk.custody import Custody, create_custody
from lightship_cdk.function import PredictFunction
from lightship_cdk.http_endpoint import HttpEndpoint
from lightship_cdk.monitoring import Monitoring
from lightship_cdk.monitoring_settings import MonitoringSettings
from lightship_cdk.notifications import Notifications
from lightship_cdk.releases import PackagedRelease, locked_release
from lightship_cdk.rest_endpoint import RestEndpoint
from lightship_cdk.rollout import Rollout
from lightship_cdk.service import ModelService
from lightship_cdk.settings import (
    ComparisonSettings,
    CustodySettings,
    Domain,
    EndpointSettings,
    FunctionSettings,
    Jwt,
    Network,
    Objectives,
    Recipients,
    RolloutSettings,
    ServiceSettings,
)
from lightship_cdk.stack import LightshipStack
from lightship_cdk.watched import Watched, WatchedBatch, WatchedEndpoint

__all__ = [
    "ALARMS",
    "COMPOSITES",
    "AlarmRow",
    "Alarms",
    "BatchSettings",
    "Comparison",
    "ComparisonSettings",
    "CompositeRow",
    "Custody",
    "CustodySettings",
    "Domain",
    "EndpointSettings",
    "FunctionSettings",
    "HttpEndpoint",
    "Jwt",
    "LightshipStack",
    "MetricRef",
    "ModelService",
    "Monitoring",
    "MonitoringSettings",
    "Network",
    "Notifications",
    "Objectives",
    "PackagedRelease",
    "PredictFunction",
    "Recipients",
    "RestEndpoint",
    "Rollout",
    "RolloutSettings",
    "ScheduledBatch",
    "ServiceSettings",
    "Watched",
    "WatchedBatch",
    "WatchedEndpoint",
    "add_checks",
    "create_custody",
    "locked_release",
    "synthesise",
]
