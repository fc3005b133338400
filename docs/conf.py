"""The documentation site: ``python3 dev.py docs`` builds it, every warning being an error."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent / "src")]

import ddbstream  # noqa: E402 - found by the line above, also where nothing is installed

project = "ddbstream"
author = "The ddbstream authors"
copyright = f"2026, {author}"  # noqa: A001 - the name that Sphinx reads
version = release = ddbstream.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "command_line",
    "drawings",
    "links_to_sources",
    "public_api",
    "terminal",
]
root_doc = "index"
exclude_patterns = ["_build", "_bench"]
source_suffix = {".md": "markdown"}

# ``:::`` and not ``` around a directive: the fences of ``` are code, and the tests run them.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # `models.md#keys` works here as it does on GitHub

# A name in single backticks is a link if it is public, and code if not.
default_role = "public"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

nitpicky = True
smartquotes = False  # it makes a dash of the two of an option
# A page without a place breaks no build; tests/docs asks for its place.
suppress_warnings = ["toc.not_included"]

html_theme = "furo"
html_title = f"ddbstream {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
