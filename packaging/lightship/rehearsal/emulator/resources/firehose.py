"""Firehose delivery streams."""

from lightship.rehearsal.emulator.resources.base import ApiResource

TYPES = (
    ApiResource(
        type="AWS::KinesisFirehose::DeliveryStream",
        service="firehose",
        make="CreateDeliveryStream",
        remove="DeleteDeliveryStream",
        id="in.DeliveryStreamName",
        key={"DeliveryStreamName": "$id"},
        attributes={"Arn": "out.DeliveryStreamARN"},
        name="DeliveryStreamName",
    ),
)
