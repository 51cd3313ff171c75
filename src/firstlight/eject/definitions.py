"""Which definitions of `plain/` a piece of code needs, and their source as it stands there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

PACKAGE = "firstlight.plain"
LIBRARIES = ("PIL", "av", "numpy", "polars", "torch")  # that scripts use


@dataclass(frozen=True)
class Definition:
    """A function, class or constant of `plain/`: its source with the comment above it, and the names in it."""

    name: str
    module: str
    source: str
    names: frozenset[str]
    is_constant: bool


@dataclass(frozen=True)
class Import:
    """A name that comes from outside: `from MODULE import ORIGINAL as NAME`, or `import MODULE as NAME`."""

    name: str
    module: str
    original: str | None


@dataclass(frozen=True)
class Library:
    """All that stands in `plain/`; `order` lists the modules so that each comes after those that it needs."""

    definitions: Mapping[str, Definition]
    imports: Mapping[str, Import]
    order: tuple[str, ...]


@cache
def library() -> Library:
    """Reads the sources of `plain/`; two definitions of one name, or one name for two imports, are a ValueError."""
    definitions: dict[str, Definition] = {}
    imports: dict[str, Import] = {}
    needs: dict[str, set[str]] = {}
    for file in sorted(files(PACKAGE).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py") and file.name != "__init__.py":
            module = file.name.removesuffix(".py")
            text = file.read_text(encoding="utf-8")
            needs[module] = set()
            for node in ast.parse(text).body:
                for found in _imports(node):
                    if found.module.startswith(PACKAGE):
                        needs[module].add(found.module.removeprefix(PACKAGE + "."))
                    elif found.module != "__future__" and imports.setdefault(found.name, found) != found:
                        raise ValueError(f"{found.name} is imported in two ways in {PACKAGE}")
                if (definition := _definition(node, text, module)) is not None:
                    if definition.name in definitions:
                        raise ValueError(f"{definition.name} is defined twice in {PACKAGE}")
                    definitions[definition.name] = definition
    return Library(definitions, imports, _sorted(needs))


def _imports(node: ast.stmt) -> list[Import]:
    if isinstance(node, ast.Import):
        return [Import(alias.asname or alias.name, alias.name, None) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [Import(alias.asname or alias.name, node.module or "", alias.name) for alias in node.names]
    return []


def _definition(node: ast.stmt, text: str, module: str) -> Definition | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        name, first = node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name, first = node.targets[0].id, node.lineno
    else:
        return None
    lines = text.splitlines()
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    last = node.end_lineno or node.lineno
    source = re.sub(r"  # (type: ignore\S*|fmt: skip|noqa\S*)", "", "\n".join(lines[first - 1 : last]))
    return Definition(name, module, source, names_in(node), isinstance(node, ast.Assign))


def names_in(node: ast.AST) -> frozenset[str]:
    """The names that a piece of code mentions."""
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _sorted(needs: Mapping[str, set[str]]) -> tuple[str, ...]:
    order: list[str] = []

    def visit(module: str) -> None:
        for needed in sorted(needs[module]):
            visit(needed)
        if module not in order:
            order.append(module)

    for module in sorted(needs):
        visit(module)
    return tuple(order)


def needed_by(code: str) -> list[Definition]:
    """The definitions that a piece of code needs, each after those that it needs itself."""
    found: dict[str, Definition] = {}
    waiting = set(names_in(ast.parse(code)))
    while waiting:
        name = waiting.pop()
        definition = library().definitions.get(name)
        if definition is not None and name not in found:
            found[name] = definition
            waiting |= definition.names
    place = {name: number for number, name in enumerate(library().definitions)}
    module_place = {module: number for number, module in enumerate(library().order)}
    return sorted(found.values(), key=lambda each: (not each.is_constant, module_place[each.module], place[each.name]))


def import_lines(names: Iterable[str]) -> list[str]:
    """The import statements for those of the names that come from outside: the standard library's, then others'."""
    wanted = sorted({library().imports[name] for name in names if name in library().imports}, key=repr)
    plain = sorted(_plain_import(each) for each in wanted if each.original is None)
    modules = sorted({each.module for each in wanted if each.original is not None})
    from_lines = [
        f"from {module} import "
        + ", ".join(sorted(_part(each) for each in wanted if each.module == module and each.original))
        for module in modules
    ]
    lines = sorted(plain) + from_lines
    outside = [line for line in lines if line.split()[1].partition(".")[0] in LIBRARIES]
    standard = [line for line in lines if line not in outside]
    return [*standard, *([""] if standard and outside else []), *outside]


def _plain_import(each: Import) -> str:
    return f"import {each.module}" + (f" as {each.name}" if each.name != each.module else "")


def _part(each: Import) -> str:
    return f"{each.original}" + (f" as {each.name}" if each.name != each.original else "")
