"""The two topics by which alarms reach people: pages wake somebody, tickets wait for the morning."""

from typing import assert_never, cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from lightship_cdk.alarm_table import Severity
from lightship_cdk.custody import Custody
from lightship_cdk.interfaces import principal
from lightship_cdk.settings import Recipients
from lightship_cdk.settings_error import SettingsError


class Notifications(Construct):
    """Encrypted topics that only take TLS, with their subscribers."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        service: str,
        custody: Custody,
        recipients: Recipients | None = None,
    ) -> None:
        super().__init__(scope, id)
        recipients = recipients or Recipients()
        self.pages = _topic(self, "Pages", f"{service}: pages", custody)
        self.tickets = _topic(self, "Tickets", f"{service}: tickets", custody)
        for recipient in recipients.everyone:
            self.pages.add_subscription(subscription(recipient))
        for recipient in (*recipients.everyone, *recipients.tickets):
            self.tickets.add_subscription(subscription(recipient))
        if not recipients.everyone:
            cdk.Annotations.of(self).add_warning_v2(
                "lightship:nobody-listens",
                f"Nobody is told when {service} fails. List an address in [monitoring] notify, "
                "or subscribe to the topic named in the outputs.",
            )

    def topic(self, severity: Severity) -> sns.ITopic:
        match severity:
            case "page":
                return cast("sns.ITopic", self.pages)
            case "ticket":
                return cast("sns.ITopic", self.tickets)
            case _:
                assert_never(severity)


def _topic(scope: Construct, id: str, name: str, custody: Custody) -> sns.Topic:  # noqa: A002
    topic = sns.Topic(scope, id, display_name=name, master_key=custody.key, enforce_ssl=True)
    # A topic with a policy of its own, as TLS alone demands, has lost the default one that admits alarms.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublish",
            principals=[principal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}},
        )
    )
    return topic


def subscription(recipient: str) -> sns.ITopicSubscription:
    """An e-mail address or https:// hook as a topic's subscriber. Raises SettingsError."""
    if recipient.startswith("https://"):
        return cast("sns.ITopicSubscription", subscriptions.UrlSubscription(recipient))
    if "@" in recipient:
        return cast("sns.ITopicSubscription", subscriptions.EmailSubscription(recipient))
    raise SettingsError(f"notify names {recipient!r}; write an e-mail address or an https:// hook.")
