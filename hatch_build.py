"""The README for a package index: its links into the repository made absolute.

A package index shows the README without the files beside it. With ``Repository`` under
``[project.urls]`` in pyproject.toml, relative links go there, to the version's tag; without it,
their text stays and the link goes, for a dead link is worse than none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class CustomMetadataHook(MetadataHookInterface):
    """Called by hatchling, since ``readme`` is dynamic in pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README in."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = metadata.get("urls", {}).get("Repository")
        text = without_invisible_comments(absolute(text, repository, metadata["version"]))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, repository: str | None, version: str) -> str:
    """Markdown whose relative links go to the repository, or are plain text without one."""

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        return f"[{words}]({repository}/blob/v{version}/{target})" if repository else words

    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", link, text)


def without_invisible_comments(text: str) -> str:
    """Without the blocks that only the tests run."""
    return re.sub(r"<!---.*?-->\n*", "", text, flags=re.DOTALL)
