"""``streams`` and ``doctor`` on a table that puts its changes into Kinesis."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from ddbstream.cli import _aws, doctor, streams
from ddbstream.cli._app import cli
from ddbstream.cli._render import Output

REGION = "eu-west-1"
ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"


@pytest.fixture
def table(monkeypatch):
    """A table with a stream, in moto, whose Kinesis destinations a test says."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="Catalogue",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

        def with_destinations(*found, error=None, name="Catalogue"):
            def made(service, **where):
                client = _aws.boto3_client(service, **where)
                if service == "dynamodb":
                    stub = Stubber(client)
                    call = "describe_kinesis_streaming_destination"
                    if error is not None:
                        stub.add_client_error(call, error)
                    else:
                        answer = {
                            "TableName": name,
                            "KinesisDataStreamDestinations": list(found),
                        }
                        stub.add_response(call, answer, {"TableName": name})
                    monkeypatch.setattr(
                        client,
                        "describe_kinesis_streaming_destination",
                        stubbed(client, stub),
                    )
                return client

            monkeypatch.setattr(streams, "boto3_client", made)
            monkeypatch.setattr(doctor, "boto3_client", made)

        yield with_destinations


def stubbed(client, stub):
    """One call of a client answered by the stub, and every other by moto."""
    call = client.describe_kinesis_streaming_destination

    def described(**request):
        with stub:
            return call(**request)

    return described


def destination(status="ACTIVE", precision="MICROSECOND", reason=None):
    found = {"StreamArn": ARN, "DestinationStatus": status}
    if precision:
        found["ApproximateCreationDateTimePrecision"] = precision
    if reason:
        found["DestinationStatusDescription"] = reason
    return found


def test_on_a_terminal_a_destination_is_two_lines(table, monkeypatch):
    table(destination())
    monkeypatch.setattr(streams, "Output", OnATerminal)
    result = CliRunner().invoke(cli, ["streams", "Catalogue"])
    assert f"Catalogue  ACTIVE  into Kinesis, MICROSECOND\n{ARN}" in result.output


class OnATerminal(Output):
    def __init__(self, *, as_json):
        super().__init__(as_json=as_json)
        self.as_json = False


def run(*arguments):
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def test_streams_shows_a_tables_kinesis_streams_behind_its_own(table):
    table(destination())
    result, (own, kinesis) = run("streams", "Catalogue")
    assert result.exit_code == 0
    assert ":dynamodb:" in own["stream_arn"]
    assert kinesis == {
        "table": "Catalogue",
        "stream_arn": ARN,
        "status": "ACTIVE",
        "precision": "MICROSECOND",
    }


def test_streams_of_a_table_that_has_none_says_how_to_enable_one(table):
    table(name="Other")
    result, _ = run("streams", "Other")
    assert result.exit_code == 1
    assert "aws dynamodb enable-kinesis-streaming-destination --table-name Other" in result.stderr


@pytest.mark.parametrize(
    "error", ["UnknownOperationException", "AccessDeniedException", "ResourceNotFoundException"]
)
def test_streams_does_without_what_it_may_not_ask(table, error):
    table(error=error)
    result, lines = run("streams", "Catalogue")
    assert result.exit_code == 0
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("found", "status", "said", "remedy"),
    [
        (destination(), "ok", "in microseconds", None),
        (destination("ENABLING"), "ok", "ENABLING", None),
        (destination(precision="MILLISECOND"), "warning", "milliseconds", "update-kinesis"),
        (destination(precision=None), "warning", "milliseconds", "update-kinesis"),
        (destination("DISABLED"), "warning", "nothing new", "enable-kinesis"),
        (destination("ENABLE_FAILED", reason="no KMS"), "problem", "no KMS", "enable-kinesis"),
        (None, "ok", "no destination", "enable-kinesis"),
    ],
)
def test_doctor_tells_how_a_destination_is_and_what_to_do(table, found, status, said, remedy):
    table(*([found] if found else []))
    result, lines = run("doctor", "Catalogue")
    (check,) = [line for line in lines if line["check"] == "kinesis"]
    assert check["status"] == status
    assert said in check["message"]
    assert (remedy or "") in (check["remedy"] or "")
    assert (check["remedy"] is None) == (remedy is None)
    assert result.exit_code == (status == "problem")
