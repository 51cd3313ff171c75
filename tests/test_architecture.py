"""The house stands: arrows point down, plain/ stays plain, nothing unsafe is called, every name is explained.

Sources are parsed, not imported, so that a broken module cannot hide what it imports.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import firstlight

SRC = Path(__file__).resolve().parents[1] / "src"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SRC.rglob("*.py"))
}
PLAIN = {module: path for module, path in MODULES.items() if module.startswith("firstlight.plain.")}

# What each room may import besides itself. A room is a package or a module right under firstlight/.
GROUND = {"refusal", "files", "wording", "machine"}
BASE = GROUND | {"data", "plain"}
ROOMS: dict[str, set[str]] = {
    "refusal": set(),
    "wording": set(),
    "files": {"refusal"},
    "machine": {"files", "refusal"},
    "datasets": set(),
    "plain": set(),
    "data": GROUND | {"plain"},
    "kinds": BASE,
    "plan": BASE | {"kinds"},
    "model": BASE | {"kinds", "plan"},
    "evaluate": BASE | {"kinds", "plan", "model"},
    "store": BASE | {"kinds", "plan", "model", "evaluate"},
    "report": BASE | {"kinds", "plan", "model", "evaluate", "store"},
    "eject": BASE | {"kinds", "plan", "model", "evaluate", "store"},
    "workflow": BASE | {"kinds", "plan", "model", "evaluate", "store", "report", "eject"},
    "asking": BASE | {"kinds", "plan", "model", "evaluate", "store", "report", "eject", "workflow"},
    "stepping": BASE | {"kinds", "plan", "model", "evaluate", "store", "report", "eject", "workflow", "asking"},
    "using": BASE | {"kinds", "plan", "model", "evaluate", "store", "report", "eject", "workflow", "asking"},
    "checking": BASE | {"kinds", "plan", "model", "evaluate", "store"},
    "inspecting": BASE | {"kinds", "plan", "model", "evaluate", "store", "using"},
    "course": GROUND | {"plain", "report", "evaluate"},
}
EVERY_ROOM = set(ROOMS)
# The doors: they may use every room, and no room may use them.
DOORS = {"__init__", "__main__", "cli", "page"}

PLAIN_MAY_IMPORT = {"torch", "numpy", "polars"} | set(sys.stdlib_module_names)
ALSO = {"firstlight.plain.pixels": {"PIL"}, "firstlight.plain.frames": {"av"}}  # where files are decoded
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "__import__",
    "torch.load",
    "torch.save",
    "os.system",
    "numpy.load",
    "np.load",
}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported_by(module: str, path: Path) -> Iterator[str]:
    """The full name of every module that a module imports, wherever in it the import stands."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            start = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [start, node.module]))
            for alias in node.names:  # `from package import module` imports the module
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def defined_in(module: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """The public functions and classes of a module, and the public methods of these classes."""
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in tree_of(MODULES[module]).body:
        if isinstance(node, definitions) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, definitions) and not method.name.startswith("_"):
                        yield f"{node.name}.{method.name}", method


@pytest.mark.parametrize("module", MODULES)
def test_a_module_belongs_to_a_room_of_the_house(module: str) -> None:
    assert room_of(module) in EVERY_ROOM | DOORS


@pytest.mark.parametrize("module", MODULES)
def test_an_import_points_down_only(module: str) -> None:
    room = room_of(module)
    allowed = EVERY_ROOM | DOORS if room in DOORS else ROOMS.get(room, set()) | {room}
    ours = [name for name in imported_by(module, MODULES[module]) if name.split(".")[0] == "firstlight"]
    upward = [name for name in ours if room_of(name) not in allowed]
    assert not upward, f"{module} must not import {', '.join(upward)}"


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {module: set(imported_by(module, path)) & set(MODULES) for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("module", PLAIN)
def test_plain_code_imports_torch_numpy_polars_and_the_standard_library_only(module: str) -> None:
    allowed = PLAIN_MAY_IMPORT | ALSO.get(module, set())
    foreign = [
        name
        for name in imported_by(module, PLAIN[module])
        if name.split(".")[0] not in allowed and not name.startswith("firstlight.plain")
    ]
    assert not foreign


@pytest.mark.parametrize("module", PLAIN)
def test_plain_code_speaks_of_data_and_models_only(module: str) -> None:
    """It is printed into a script whose reader has never heard of our plans, rooms and issues."""
    ours = re.compile(r"\bfirstlight\b|\bplans?\b|\brefus(?:e|es|ed|al)\b|\beject|\brun folder\b|#\d", re.IGNORECASE)
    with PLAIN[module].open("rb") as stream:
        said = [
            (token.start[0], found.group())
            for token in tokenize.tokenize(stream.readline)
            if token.type in (tokenize.COMMENT, tokenize.STRING) and (found := ours.search(token.string))
        ]
    assert not said, f"(line, word): {said}"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_a_drawer_for_everything(module: str) -> None:
    assert not {"utils", "util", "helpers", "misc", "common"} & set(module.split("."))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_that_could_run_a_strangers_code_is_imported_or_called(module: str) -> None:
    unsafe = [name for name in imported_by(module, MODULES[module]) if name.split(".")[0] in UNSAFE_MODULES]
    for node in ast.walk(tree_of(MODULES[module])):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            names = {keyword.arg for keyword in node.keywords}
            if called in UNSAFE_CALLS or called.endswith(("read_pickle", "to_pickle")) or "allow_pickle" in names:
                unsafe.append(f"line {node.lineno}: {called}")
            if any(word.arg == "shell" for word in node.keywords):
                unsafe.append(f"line {node.lineno}: {called} through a shell")
    assert not unsafe


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_says_what_it_is(module: str) -> None:
    tree = tree_of(MODULES[module])
    unsaid = [
        name for name, node in defined_in(module) if not ast.get_docstring(node) and name.split(".")[-1] != "forward"
    ]
    if tree.body and not ast.get_docstring(tree):
        unsaid.insert(0, "the module itself")
    assert not unsaid


def test_importing_firstlight_imports_neither_torch_nor_polars() -> None:
    heavy = {"torch", "polars", "numpy", "altair", "PIL", "av"}
    script = f"import sys, firstlight; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


DOOR: list[str] = getattr(firstlight, "__all__", [])


def test_the_door_lists_its_names() -> None:
    assert DOOR


@pytest.mark.parametrize("name", DOOR)
def test_every_name_of_the_door_leads_to_something_explained(name: str) -> None:
    found = getattr(firstlight, name)
    if callable(found):
        assert found.__doc__, f"firstlight.{name} has no docstring"


def test_the_door_refuses_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(firstlight, "no_such_name")  # noqa: B009
