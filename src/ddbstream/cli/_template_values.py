"""What a template says by reference: CloudFormation's functions, and Serverless's variables.

What only AWS could resolve, such as the ARN of a queue, keeps a name of its own: code that runs on
this machine gets a text that it can print. A table's references give the table that is here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["TABLE_TYPES", "TemplateValues"]

_ACCOUNT: Final = "123456789012"
_PSEUDO: Final = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": _ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "local",
    "AWS::URLSuffix": "amazonaws.com",
}
TABLE_TYPES: Final = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")


class TemplateValues:
    """Resolves what a file says by reference.

    Args:
        document: The whole file.
        resources: Its CloudFormation resources, by logical id.
    """

    def __init__(self, document: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
        self._document = document
        self._resources = resources

    def text(self, value: Any) -> str | None:
        """A value as text; None if only AWS knows it."""
        value = self.of(value)
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, str | int | float) else None

    def of(self, value: Any) -> Any:
        """A value, resolved."""
        match value:
            case str():
                return self._variables(value)
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": str(path)}:
                return self._attribute(*path.split(".", 1))
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": str(pattern)}:
                return self._substituted(pattern, {})
            case {"Fn::Sub": [str(pattern), dict(names)]}:
                return self._substituted(pattern, names)
            case _:
                return value

    def table_of(self, source: Any) -> str | None:
        """The table whose stream an ARN is of."""
        if isinstance(source, Mapping) and isinstance(source.get("arn"), Mapping | str):
            source = source["arn"]
        arn = self.of(source)
        found = re.search(r":table/([^/]+)", arn) if isinstance(arn, str) else None
        return found[1] if found else None

    def table_name(self, logical_id: str) -> str:
        """The name of a table of the file; its logical id if AWS is to choose one."""
        properties = self._resources[logical_id].get("Properties") or {}
        given = properties.get("TableName")
        name = None if given is None else self.text(given)
        return name if name and re.fullmatch(r"[\w.-]{3,255}", name) else logical_id

    def _is_table(self, name: str) -> bool:
        return (self._resources.get(name) or {}).get("Type") in TABLE_TYPES

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if self._is_table(name):
            return self.table_name(name)
        parameters = self._document.get("Parameters") or {}
        return (parameters.get(name) or {}).get("Default", name)

    def _attribute(self, name: str, attribute: str = "") -> str:
        if self._is_table(name):
            arn = f"arn:aws:dynamodb:us-east-1:{_ACCOUNT}:table/{self.table_name(name)}"
            return f"{arn}/stream/label" if attribute == "StreamArn" else arn
        return f"{name}.{attribute}"

    def _substituted(self, pattern: str, names: Mapping[str, Any]) -> str:
        def one(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return str(self.of(names[name]))
            head, dot, rest = name.partition(".")
            return str(self._attribute(head, rest) if dot else self._ref(name))

        return re.sub(r"\$\{([^${}]+)\}", one, pattern)

    def _variables(self, text: str) -> Any:
        """Serverless's ``${self:…}``, ``${env:…}``, ``${sls:stage}`` and defaults."""
        whole = re.fullmatch(r"\$\{([^${}]+)\}", text)
        if whole:
            return self._variable(whole[1], text)
        return re.sub(
            r"\$\{([^${}]+)\}", lambda match: str(self._variable(match[1], match[0])), text
        )

    def _variable(self, expression: str, unresolved: str) -> Any:
        for part in expression.split(","):
            kind, colon, path = part.strip().partition(":")
            if not colon:
                return part.strip().strip("'\"")
            found: Any = None
            if kind == "self":
                found = self._document
                for step in path.split("."):
                    found = found.get(step) if isinstance(found, Mapping) else None
            elif kind == "env":
                found = os.environ.get(path)
            elif (kind, path) == ("sls", "stage"):
                found = (self._document.get("provider") or {}).get("stage", "dev")
            if found is not None:
                return self.of(found)
        return unresolved
