"""boto3 clients for a replay, given or made when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddbstream.exceptions import DDBStreamError, PollerError
from ddbstream.poller import _client as poller_client

if TYPE_CHECKING:
    from ddbstream.replay._messages import FailedBatch, Fetch
    from ddbstream.typing import StreamsClient

__all__ = ["Clients", "fetcher"]


class Clients:
    """A ``dynamodbstreams`` client for each region, made when first needed."""

    def __init__(
        self, client: StreamsClient | None, endpoint_url: str | None, region_name: str | None
    ) -> None:
        self._given = client
        self._endpoint_url = endpoint_url
        self._region_name = region_name
        self._made: dict[str | None, StreamsClient] = {}

    def of(self, batch: FailedBatch) -> StreamsClient:
        """The client for a batch's stream.

        Raises:
            PollerError: There can be none.
        """
        if self._given is not None:
            return self._given
        parts = batch.stream_arn.split(":", 4)
        region = self._region_name or (parts[3] if len(parts) == 5 else None) or None
        if region not in self._made:
            try:
                self._made[region] = poller_client.make_client(
                    endpoint_url=self._endpoint_url, region_name=region
                )
            except DDBStreamError:
                raise
            except Exception as error:
                # The region is what a message says. That boto3 does not know it is this message's
                # fault alone.
                raise PollerError(
                    f"there is no client for the region {region}: {type(error).__name__}"
                ) from error
        return self._made[region]


def fetcher(s3_client: Any, endpoint_url: str | None, region_name: str | None) -> Fetch:
    """Gets S3 objects, with a client made when the first is asked for."""
    made: list[Any] = [s3_client] if s3_client is not None else []

    def fetch(bucket: str, key: str) -> bytes:
        if not made:
            client = poller_client.make_client(
                endpoint_url=endpoint_url, region_name=region_name, service="s3"
            )
            made.append(client)
        answer: Mapping[str, Any] = made[0].get_object(Bucket=bucket, Key=key)
        data: bytes = answer["Body"].read()
        return data

    return fetch
