"""The reference of the public names, made from ``__all__`` and the docstrings.

``.. public-names:: ddbstream.poller`` documents every name in that module's ``__all__``, once: what
several modules have is documented where the first of them is. So no page can forget a name.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective, SphinxRole

import ddbstream

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

SOURCE = Path(ddbstream.__file__).parent
PYTHONS = ("typing", "collections.abc", "datetime", "decimal", "enum", "os", "pathlib", "types")
NOT_OURS = "tuple, object, Generic, Sequence, str, int, Enum"  # whose methods need no telling
NAPOLEON = Config(napoleon_use_ivar=True)


def public_modules() -> list[str]:
    """Every module without an underscore, the shortest names first; the commands have no names."""
    names = ["ddbstream"]
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and parts[0] != "cli" and not any(part.startswith("_") for part in parts):
            names.append(".".join(["ddbstream", *parts]))
    return sorted(set(names), key=lambda name: (name.count("."), name))


def load(module: str) -> ModuleType | None:
    """The module, or None where its extra is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("ddbstream"):
            raise
        return None


def homes() -> dict[str, dict[str, Any]]:
    """Module -> its public names that no earlier module has, with what they name."""
    seen: dict[tuple[str, int], str] = {}
    found: dict[str, dict[str, Any]] = {}
    for module in public_modules():
        loaded = load(module)
        found[module] = {}
        for name in getattr(loaded, "__all__", ()):
            thing = getattr(loaded, name)
            if seen.setdefault((name, id(thing)), module) == module:
                found[module][name] = thing
    return found


HOMES = homes()
PLACES: dict[str, str] = {}
for _module, _names in reversed(HOMES.items()):
    PLACES |= {name: f"{_module}.{name}" for name in _names}


def names_inside() -> set[str]:
    """What the library's modules call their classes, aliases and type variables."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Assign):
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found


INSIDE = names_inside()


def attribute_doc(name: str) -> list[str]:
    """The text under ``NAME = ...`` wherever in the package it is."""
    for path in SOURCE.rglob("*.py"):
        if re.search(rf"^{name}\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE):
            docs = ModuleAnalyzer.for_file(str(path), path.stem).find_attr_docs()
            if ("", name) in docs:
                return docs["", name]
    return []


def entry(module: str, name: str, thing: Any) -> list[str]:
    """The reStructuredText that documents one name."""
    full = f"{module}.{name}"
    if inspect.isclass(thing) and hasattr(thing, "__mro__"):
        if issubclass(thing, BaseException):
            options = ["   :show-inheritance:"]
        elif module == "ddbstream.typing" or issubclass(thing, dict):
            options = ["   :members:", "   :undoc-members:"]
        else:
            options = ["   :members:", f"   :inherited-members: {NOT_OURS}"]
        return [f".. autoclass:: {full}", *options, ""]
    if inspect.isroutine(thing):
        return [f".. autofunction:: {full}", ""]
    words = [f"   {line}" for line in attribute_doc(name)]
    return [f".. py:data:: {name}", f"   :module: {module}", "", *words, ""]


class PublicNames(SphinxDirective):
    """``.. public-names:: MODULE`` with an optional list of names; without one, all of them."""

    required_arguments = 1
    optional_arguments = 0
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        for path in SOURCE.rglob("*.py"):
            self.env.note_dependency(str(path))
        if module not in HOMES:
            raise self.error(f"{module} is no public module")
        wanted = " ".join(self.content).split() or sorted(HOMES[module], key=str.lower)
        lines = [f".. py:module:: {module}", "   :no-index:", ""] if not self.content else []
        for name in wanted:
            lines += entry(module, name, HOMES[module][name])
        box = nodes.container()
        self.state.nested_parse(StringList(lines, f"public names of {module}"), 0, box)
        return box.children


class Public(SphinxRole):
    """Single backticks: a link to a public name (``a.b`` to its last part), or else code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        text = self.text
        code = nodes.literal(text, text, classes=["py"])
        name = text.rpartition(".")[2].removesuffix("()")
        if name not in PLACES:
            return [code], []
        link = pending_xref(
            "", code, refdomain="py", reftype="obj", reftarget=PLACES[name], refexplicit=True
        )
        link["refdoc"] = self.env.docname
        return [link], []


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.Element | None:
    """Find what a signature calls by its private or bare name.

    A public name becomes a link. A name of Python, of boto3 or of the library's own inside stays
    text. Anything else is a broken reference, and Sphinx says so.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    name = target.rpartition(".")[2]
    if name in PLACES:
        domain = env.get_domain("py")
        return domain.resolve_xref(
            env, node["refdoc"], app.builder, "obj", PLACES[name], node, contnode
        )
    if is_known(target):
        return contnode
    return None


def is_known(target: str) -> bool:
    """Whether ``target`` is a name of Python itself, or a private type of the library."""
    root, _, rest = target.partition(".")
    if hasattr(builtins, target) or root in sys.stdlib_module_names:
        return True
    if target.rpartition(".")[2] in INSIDE and root in {target, "ddbstream"}:
        return True
    if root == "hypothesis" or target == "Unpack":  # typing has it from Python 3.11 on
        return True
    modules = (*PYTHONS, "hypothesis.strategies")
    return not rest and any(hasattr(importlib.import_module(name), target) for name in modules)


def google_to_rst(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Turn a docstring of ours into reStructuredText.

    Napoleon as an extension takes what stands before the first colon of an attribute's docstring
    for a type, and reads no sections there. Our properties have sentences, and say what they raise.
    """
    kind = "method" if what in {"attribute", "data", "property"} else what
    plain = fences_to_blocks(lines)
    lines[:] = GoogleDocstring(plain, NAPOLEON, app, kind, name, obj, options).lines()


def fences_to_blocks(lines: list[str]) -> list[str]:
    """Docstrings may have a fence of ``` around code, as editors show it well."""
    out: list[str] = []
    inside = False
    for line in lines:
        if (fence := re.match(r"( *)```(\w*)$", line)) is not None:
            out += [""] if inside else [f"{fence[1]}.. code-block:: {fence[2] or 'text'}", ""]
            inside = not inside
        else:
            out.append(f"    {line}" if inside and line else line)
    return out


class WholeNames(SphinxPostTransform):
    """A bare public name means its one place in the reference, also where another module has it."""

    default_priority = 4

    def run(self, **_options: Any) -> None:
        for node in self.document.findall(pending_xref):
            if node.get("refdomain") == "py" and node["reftarget"] in PLACES:
                node["reftarget"] = PLACES[node["reftarget"]]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("public-names", PublicNames)
    app.add_role("public", Public())
    app.add_post_transform(WholeNames)
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", google_to_rst)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
