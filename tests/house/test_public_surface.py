"""``__all__`` is the public surface: complete, resolvable, documented; nothing public beside it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.metadata import version
from types import GenericAlias, ModuleType

import pytest

import ddbstream

# The contract: code outside this repository calls these by these names.
NAMES = {
    "StreamRouter",
    "LambdaHandler",
    "StreamRecord",
    "Insert",
    "Modify",
    "Remove",
    "Change",
    "parse",
    "from_item",
    "to_item",
    "from_attribute_value",
    "to_attribute_value",
    "keys",
    "Attribute",
    "Epoch",
    "diff",
    "Diff",
    "Added",
    "Removed",
    "Replaced",
    "SetChanged",
    "by_table_name",
    "by_key_prefix",
    "by_keys",
    "by_attribute",
    "BatchResult",
    "Failure",
    "Disposition",
    "DDBStreamError",
    "on_insert",
    "on_modify",
    "on_remove",
    "on_change",
    "default_router",
    "lambda_handler",
    "__version__",
}
PUBLIC_MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(ddbstream.__path__, "ddbstream.")
    if not any(part.startswith("_") for part in name.split("."))
    and not name.startswith("ddbstream.cli.")  # its commands are the surface, not its functions
]


# The modules that users import from. `changed`, `metrics` and `models` are for names that are too
# special for the package itself.
MODULES = {
    "ddbstream.routing",
    "ddbstream.aws_lambda",
    "ddbstream.changed",
    "ddbstream.cli",
    "ddbstream.dead_letters",
    "ddbstream.exceptions",
    "ddbstream.export",
    "ddbstream.filters",
    "ddbstream.kcl",
    "ddbstream.kinesis",
    "ddbstream.metrics",
    "ddbstream.models",
    "ddbstream.poller",
    "ddbstream.progress",
    "ddbstream.replay",
    "ddbstream.testing",
    "ddbstream.typing",
}


def surface(module: ModuleType) -> dict[str, object]:
    return {name: getattr(module, name) for name in module.__all__}


def test_the_package_has_the_names_of_the_contract_and_no_others():
    assert set(ddbstream.__all__) == NAMES


def test_no_module_is_public_by_accident():
    assert {name for name in PUBLIC_MODULES if name.count(".") == 1} <= MODULES


def test_dir_shows_the_public_names_and_no_others():
    assert set(dir(ddbstream)) == NAMES


def test_a_name_that_does_not_exist_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="on_insrt"):
        _ = ddbstream.on_insrt  # type: ignore[attr-defined]


def test_the_version_is_the_one_that_is_installed():
    assert ddbstream.__version__ == version("ddbstream")


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_a_public_module_lists_its_names_and_says_what_it_is(name):
    module = importlib.import_module(name)
    assert module.__doc__
    names = module.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(module, public) for public in names)


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_what_a_public_module_defines_under_a_public_name_is_in_its_all(name):
    module = importlib.import_module(name)
    defined_here = {
        public
        for public, value in vars(module).items()
        if not public.startswith(("_", "pytest_"))  # pytest's hooks are for pytest
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }
    assert defined_here <= set(module.__all__)


def undocumented(name: str, thing: object) -> list[str]:
    """``thing``, and the public methods and properties of its own, that have no docstring."""
    lacking = []
    if not own_doc(thing):
        lacking.append(name)
    if inspect.isclass(thing):
        for part, value in vars(thing).items():
            documentable = inspect.isroutine(value) or isinstance(value, property)
            if (
                not part.startswith("_")
                and documentable
                and not inspect.getdoc(getattr(thing, part))
            ):
                lacking.append(f"{name}.{part}")
    return lacking


def own_doc(thing: object) -> bool:
    doc = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    # A dataclass without a docstring gets its signature for one.
    return bool(doc) and not str(doc).startswith(f"{getattr(thing, '__name__', '')}(")


@pytest.mark.parametrize("name", ["ddbstream", *PUBLIC_MODULES])
def test_every_public_thing_has_a_docstring(name):
    module = importlib.import_module(name)
    assert [
        missing
        for public, thing in surface(module).items()
        if (inspect.isclass(thing) or inspect.isroutine(thing))
        and not isinstance(thing, GenericAlias)  # which Python 3.10 takes for a class
        for missing in undocumented(public, thing)
    ] == []
