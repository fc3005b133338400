"""AWS CDK: both tables, and the function between them. ``cdk deploy`` in this folder."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

# Made by: pip install -r requirements.txt -t build && cp replicate_table.py build/
CODE = Path(__file__).parents[1] / "build"


class Replication(cdk.Stack):
    """A table, its copy, and what keeps the copy."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        table, copy = self.table("Table"), self.table("Copy")
        failed = sqs.Queue(
            self,
            "Failed",
            retention_period=cdk.Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
        )
        function = lambda_.Function(
            self,
            "Replicate",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(str(CODE)),
            handler="replicate_table.handler",
            timeout=cdk.Duration.seconds(60),
            memory_size=256,
            logging_format=lambda_.LoggingFormat.JSON,
            environment={"COPY": copy.table_name},
        )
        copy.grant(function, "dynamodb:UpdateItem", "dynamodb:DeleteItem")
        function.add_event_source(
            sources.DynamoEventSource(
                table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=100,
                # As report_batch_item_failures=True in the code: each needs the other.
                report_batch_item_failures=True,
                retry_attempts=50,
                on_failure=sources.SqsDlq(failed),
            )
        )

    def table(self, name: str) -> dynamodb.Table:
        """One of the two tables."""
        return dynamodb.Table(
            self,
            name,
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        )


if __name__ == "__main__":
    app = cdk.App()
    Replication(app, "Replication")
    app.synth()
