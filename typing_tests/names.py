"""What is not there is an error, also where names are imported late. Checked, never run."""

from __future__ import annotations

import ddbstream
import ddbstream.aws_lambda
import ddbstream.poller
import ddbstream.testing

ddbstream.Inserts  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # ty: ignore
ddbstream.aws_lambda.Handler  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # ty: ignore
ddbstream.poller.Poller  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # ty: ignore
ddbstream.testing.inserts  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # ty: ignore
