"""What to do about an error: AWS refuses, cannot be asked, or there is no stream.

An error's own words say what is wrong, and often in which library. What the user can change is an
option, a variable of the environment, or something in AWS: each remedy names it.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from ddbstream._values.service_errors import code_of
from ddbstream.exceptions import StreamNotFoundError

__all__ = ["enabling", "in_words"]

_CREDENTIALS: Final = (
    "give --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; an emulator takes any"
)
_OTHERS: Final = "--profile gives others"

# boto3's exceptions by name, as boto3 itself is imported by few commands; and AWS's error codes.
_REMEDIES: Final = MappingProxyType(
    {
        "NoRegionError": "give --region, or set AWS_DEFAULT_REGION",
        "NoCredentialsError": _CREDENTIALS,
        "PartialCredentialsError": _CREDENTIALS,
        "ProfileNotFound": "`aws configure list-profiles` lists those that there are",
        "EndpointConnectionError": "is it running? --endpoint-url and --region say where it is",
        "ConnectTimeoutError": "is it running? --endpoint-url and --region say where it is",
        "SSOTokenLoadError": "sign in: `aws sso login`",
        "UnauthorizedSSOTokenError": "sign in again: `aws sso login`",
        "ExpiredToken": f"sign in again, for example by `aws sso login`; {_OTHERS}",
        "ExpiredTokenException": f"sign in again, for example by `aws sso login`; {_OTHERS}",
        "UnrecognizedClientException": f"AWS does not know these credentials; {_OTHERS}",
        "InvalidClientTokenId": f"AWS does not know these credentials; {_OTHERS}",
        "InvalidSignatureException": f"are the secret key and this clock right? {_OTHERS}",
        "AccessDeniedException": f"these credentials may not do that; {_OTHERS}",
        "ResourceNotFoundException": "is it in this region and account? See --region and --profile",
    }
)


def in_words(error: BaseException) -> str:
    """An error in one line, with what to do about it if that is known."""
    said = " ".join(str(error).split())  # of wrong parameters boto3 has a line for each
    # The poller's own words name its arguments.
    if said.startswith("no AWS region"):
        return f"no AWS region: {_REMEDIES['NoRegionError']}"
    _, invalid, endpoint = said.partition("Invalid endpoint: ")
    if invalid:
        return f"{invalid}{endpoint}: a URL is wanted, as http://localhost:8000"
    remedy = _remedy(error, said)
    return said if remedy is None else f"{said.rstrip('.')}: {remedy}"


def enabling(table: str) -> str:
    """The command that turns a table's stream on."""
    return (
        f"aws dynamodb update-table --table-name {table} --stream-specification "
        "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    )


def _remedy(error: BaseException, said: str) -> str | None:
    if isinstance(error, StreamNotFoundError):
        return _stream_remedy(said)
    names = (
        str(code_of(error)),
        *(one.__name__ for one in type(error).__mro__),
        said.rpartition(": ")[2],
    )
    return next((_REMEDIES[name] for name in names if name in _REMEDIES), None)


def _stream_remedy(said: str) -> str:
    if "has no stream" in said:
        named = re.search("table '([^']+)'", said)
        return f"turn it on: {enabling(named[1] if named else 'TABLE')}"
    return _REMEDIES["ResourceNotFoundException"]
