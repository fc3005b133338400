"""``FilterCriteria`` as each tool has them written."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ddbstream.filters import FilterCriteria

__all__ = ["FORMATS"]


def _json(criteria: FilterCriteria) -> str:
    return json.dumps(criteria, indent=2)


def _sam(criteria: FilterCriteria) -> str:
    lines = ["FilterCriteria:", "  Filters:" if criteria["Filters"] else "  Filters: []"]
    for one in criteria["Filters"]:
        # In single quotes YAML knows one escape. All else is ASCII: it comes from a JSON encoder.
        text = one["Pattern"].replace("'", "''")
        lines.append(f"    - Pattern: '{text}'")
    return "\n".join(lines)


def _serverless(criteria: FilterCriteria) -> str:
    lines = ["filterPatterns:" if criteria["Filters"] else "filterPatterns: []"]
    # JSON is YAML; ``${`` would be a variable of Serverless's.
    lines += [f"  - {_spaced(one['Pattern'])}" for one in criteria["Filters"]]
    return "\n".join(lines).replace("${", "\\u0024{")


def _cdk(criteria: FilterCriteria) -> str:
    made = [json.loads(one["Pattern"]) for one in criteria["Filters"]]
    lines = [f"    aws_lambda.FilterCriteria.filter({pattern!r})," for pattern in made]
    return "\n".join(["filters=[", *lines, "],"])


def _terraform(criteria: FilterCriteria) -> str:
    lines = ["filter_criteria {"]
    for one in criteria["Filters"]:
        lines += ["  filter {", f"    pattern = jsonencode({_hcl(one['Pattern'])})", "  }"]
    return "\n".join([*lines, "}"])


def _spaced(pattern: str) -> str:
    """A pattern as YAML and HCL read it, to which a pair of surrogates is two characters."""
    text = json.dumps(json.loads(pattern), ensure_ascii=False)
    return _NO_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


#: What YAML does not let stand for itself.
_NO_TEXT: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def _hcl(pattern: str) -> str:
    """A JSON object as HCL has it, which knows fewer escapes, and templates in text."""
    text = _spaced(pattern).replace("${", "$${").replace("%{", "%%{")
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


_ESCAPES: Final[Mapping[str, str]] = {"b": "\\u0008", "f": "\\u000c"}

FORMATS: Final[Mapping[str, Callable[[Any], str]]] = {
    "json": _json,
    "sam": _sam,
    "serverless": _serverless,
    "cdk": _cdk,
    "terraform": _terraform,
}
"""The functions that write them, by the name of the format."""
