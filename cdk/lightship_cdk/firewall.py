"""The optional web ACL before a REST API."""

from aws_cdk import aws_wafv2 as waf
from constructs import Construct

# Rules that look into a body only see its first 16 KB, and Amazon's common set refuses bodies over 8 KB, which a
# batch of rows easily has: these two don't.
MANAGED_RULES = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
WINDOW_S = 300
RATE_FLOOR = 100


def protect(scope: Construct, stage_arn: str, *, rate: float) -> waf.CfnWebACL:
    """Put a web ACL before the stage: Amazon's managed rules, and no single address above the endpoint's own rate."""
    limit = max(RATE_FLOOR, int(rate * WINDOW_S))
    acl = waf.CfnWebACL(
        scope,
        "WebAcl",
        scope="REGIONAL",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visibility("WebAcl"),
        rules=[
            *(_managed(priority, name) for priority, name in enumerate(MANAGED_RULES)),
            waf.CfnWebACL.RuleProperty(
                name="RatePerAddress",
                priority=len(MANAGED_RULES),
                action=waf.CfnWebACL.RuleActionProperty(block={}),
                visibility_config=_visibility("RatePerAddress"),
                statement=waf.CfnWebACL.StatementProperty(
                    rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                        aggregate_key_type="IP", limit=limit, evaluation_window_sec=WINDOW_S
                    )
                ),
            ),
        ],
    )
    waf.CfnWebACLAssociation(scope, "WebAclAssociation", resource_arn=stage_arn, web_acl_arn=acl.attr_arn)
    return acl


def _managed(priority: int, name: str) -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visibility(name),
        statement=waf.CfnWebACL.StatementProperty(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(vendor_name="AWS", name=name)
        ),
    )


def _visibility(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
