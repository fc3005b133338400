"""Links from a page to a file of the project that is no page: they become links to the repository.

A page is read on GitHub too, where ``../examples/audit_log`` is right as it stands. The site has no
such file: there it is a link into the repository, or, while that has no public address, text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]


class SourceLinks(SphinxPostTransform):
    """Runs before Sphinx resolves references, so that only real pages are left for it."""

    default_priority = 5

    def run(self, **_options: Any) -> None:
        here = Path(self.env.doc2path(self.env.docname)).parent
        repository = self.config.repository
        for node in [
            *self.document.findall(pending_xref),
            *self.document.findall(download_reference),
        ]:
            path = self.outside(here, node)
            if path is None:
                continue
            inside = path.relative_to(ROOT).as_posix()
            link: nodes.Element
            if repository:
                link = nodes.reference("", "", refuri=f"{repository}/blob/main/{inside}")
            else:
                link = nodes.inline(classes=["source"], title=inside)
            link += node.children
            node.replace_self(link)

    @staticmethod
    def outside(here: Path, node: nodes.Element) -> Path | None:
        """The file of the project that the node points to, if it is no page of the site."""
        target = node.get("reftarget", "").partition("#")[0]
        if node.get("refdomain") not in (None, "doc", "std") or not target:
            return None
        path = Path(os.path.normpath(here / target))
        if not path.exists():
            path = path.with_name(f"{path.name}.md")  # MyST has cut it off
        page = path.is_relative_to(ROOT / "docs") and path.suffix == ".md"
        return path if path.exists() and path.is_relative_to(ROOT) and not page else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("repository", "", "html", str)
    app.add_post_transform(SourceLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
