"""Firehose delivery streams."""

from lightship.rehearsal.emulator.deliveries import check
from lightship.rehearsal.emulator.resources.base import ApiResource, Context, Made, Properties, ResourceError

S3 = "ExtendedS3DestinationConfiguration"


class DeliveryStream(ApiResource):
    """Delivers to S3 alone, by processors that are executed here."""

    def create(self, context: Context, properties: Properties) -> Made:
        if S3 not in properties:
            raise ResourceError(f"The emulated Firehose delivers to S3 by {S3}, which {context.logical_id} hasn't.")
        check(properties[S3])
        return super().create(context, properties)


TYPES = (
    DeliveryStream(
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
