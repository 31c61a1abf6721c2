"""Telemetry on its way from the log to the bucket: a subscription and Firehose, with no code of ours in between."""

from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from constructs import Construct

from lightship_cdk.custody import Custody
from lightship_cdk.monitoring_settings import MonitoringSettings
from lightship_cdk.monitoring_store import ERRORS, TELEMETRY, MonitoringStore
from lightship_cdk.roles import allow, create_role

# Lines of telemetry have both at their top; a sample for another version, or Lambda's own lines, have not.
PATTERN = logs.FilterPattern.all(logs.FilterPattern.exists("$.Service"), logs.FilterPattern.exists("$.version"))
HOUR = "!{timestamp:yyyy/MM/dd/HH}/"
LOG_STREAM = "delivery"

type Stream = firehose.CfnDeliveryStream


class TelemetryDelivery(Construct):
    """Subscribes a delivery stream to a log group. Objects lie below `telemetry/` by the hour (UTC) they arrived in.

    A log group has room for two subscriptions; this is one.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        log_group: logs.ILogGroup,
        store: MonitoringStore,
        custody: Custody,
        settings: MonitoringSettings,
    ) -> None:
        super().__init__(scope, id)
        self.log_group = custody.log_group(self, "Logs")
        logs.LogStream(
            self,
            "LogStream",
            log_group=self.log_group,
            log_stream_name=LOG_STREAM,
            removal_policy=custody.removal_policy,
        )
        self.stream = self._stream(store, settings)
        sender = create_role(
            self,
            "SenderRole",
            "logs.amazonaws.com",
            [allow(["firehose:PutRecord", "firehose:PutRecordBatch"], self.stream.attr_arn)],
        )
        self.subscription = logs.CfnSubscriptionFilter(
            self,
            "Subscription",
            log_group_name=log_group.log_group_name,
            filter_pattern=PATTERN.log_pattern_string,
            destination_arn=self.stream.attr_arn,
            role_arn=sender.role_arn,
        )

    def _stream(self, store: MonitoringStore, settings: MonitoringSettings) -> Stream:
        role = create_role(
            self,
            "StreamRole",
            "firehose.amazonaws.com",
            [
                *store.statements(write=[TELEMETRY, ERRORS], in_parts=True),
                allow(["s3:AbortMultipartUpload"], *store.objects([TELEMETRY, ERRORS])),
                allow(["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], store.bucket.bucket_arn),
                allow(["logs:PutLogEvents"], self.log_group.log_group_arn),
            ],
        )
        store.accept_prefixes(role, [TELEMETRY, ERRORS])
        return firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="AWS_OWNED_CMK"
            ),
            extended_s3_destination_configuration=firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                bucket_arn=store.bucket.bucket_arn,
                role_arn=role.role_arn,
                prefix=f"{TELEMETRY}{HOUR}",
                error_output_prefix=f"{ERRORS}!{{firehose:error-output-type}}/{HOUR}",
                compression_format="GZIP",
                buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
                    interval_in_seconds=settings.buffer_s, size_in_m_bs=settings.buffer_mb
                ),
                processing_configuration=firehose.CfnDeliveryStream.ProcessingConfigurationProperty(
                    enabled=True, processors=_processors()
                ),
                cloud_watch_logging_options=firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty(
                    enabled=True, log_group_name=self.log_group.log_group_name, log_stream_name=LOG_STREAM
                ),
            ),
        )


def _processors() -> list[firehose.CfnDeliveryStream.ProcessorProperty]:
    """Unpack what CloudWatch Logs sends, keep the lines themselves, and end each record with a newline.

    https://docs.aws.amazon.com/firehose/latest/dev/writing-with-cloudwatch-logs-decompression.html
    """
    return [
        _processor("Decompression", CompressionFormat="GZIP"),
        _processor("CloudWatchLogProcessing", DataMessageExtraction="true"),
        _processor("AppendDelimiterToRecord", Delimiter="\\n"),
    ]


def _processor(kind: str, **parameters: str) -> firehose.CfnDeliveryStream.ProcessorProperty:
    given = [
        firehose.CfnDeliveryStream.ProcessorParameterProperty(parameter_name=name, parameter_value=text)
        for name, text in parameters.items()
    ]
    return firehose.CfnDeliveryStream.ProcessorProperty(type=kind, parameters=given)
