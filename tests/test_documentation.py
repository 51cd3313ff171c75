"""What the documents say is so: their code blocks run, their output is what comes, no command is left out.

In README.md and docs/*.md a `sh` or `console` block is run line by line, a `python` block as it stands;
the blocks of one document share one folder, in which the penguins table lies, as they would for a reader.
A line that follows a `$ command` is its output: its words must come, whatever the numbers are. A block
that shows a refusal is opened by ```console refused.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import firstlight

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(path for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")] if path.exists())
SET_UP = ("make", "git clone", "pip install", "python -m venv", "cd ")  # what a test must not do over again
FIRSTLIGHT = Path(sys.executable).parent / "firstlight"
WITH_EXAMPLES = sorted(path for path in (ROOT / "src").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: what its fence says, its text, and the line where the text begins."""

    fence: str
    text: str
    line: int


def blocks_of(document: Path) -> Iterator[Block]:
    text = document.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(.*)\n([\s\S]*?)^```$", text, re.MULTILINE):
        yield Block(found[1].strip(), found[2], line=text[: found.start(2)].count("\n") + 1)


def commands_of(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block with the output shown below it. Without any `$`, each line is a command."""
    lines = block.text.replace("\\\n", " ").splitlines()
    prompted = any(line.startswith("$ ") for line in lines)
    command, output = "", list[str]()
    for line in lines:
        if line.startswith("$ ") or not prompted:
            if command:
                yield command, output
            command, output = line.removeprefix("$ ").partition("  #")[0].strip(), []
            if command.startswith("#"):
                command = ""
        else:
            output.append(line)
    if command:
        yield command, output


def words(text: str) -> str:
    """A text without what differs between two runs: every number is #, every gap one blank."""
    return " ".join(re.sub(r"\d[\d.,]*", "#", re.sub(r"(?<=\d) (?=\d{3}\b)", "", text)).split())


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command line in a folder, as a shell would where firstlight is installed."""
    path = f"{FIRSTLIGHT.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, shell=True, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )


def assert_commands_run(block: Block, folder: Path, where: str) -> None:
    for command, output in commands_of(block):
        if command.startswith(SET_UP):
            continue
        done = run(command, folder)
        printed = done.stdout + done.stderr
        expected = 2 if "refused" in block.fence else 0
        assert done.returncode == expected, f"{where}: $ {command}\n{printed}"
        for line in output:
            if "━" in line or line.strip() in ("", "..."):  # a bar that moves, a gap, an ellipsis
                continue
            assert words(line) in words(printed), f"{where}: $ {command}\ndoes not print: {line}\n{printed}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_blocks_of_a_document_run_from_top_to_bottom(
    document: Path, tmp_path: Path, penguins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(penguins, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": document.stem}
    for block in blocks_of(document):
        where = f"{document.name}, line {block.line}"
        kind = block.fence.partition(" ")[0]
        if kind in ("sh", "console"):
            assert_commands_run(block, tmp_path, where)
        elif kind == "python" and ">>> " in block.text:
            assert_examples_hold(block.text, names, where)
        elif kind == "python":
            exec(compile("\n" * (block.line - 1) + block.text, document, "exec"), names)


def assert_examples_hold(text: str, names: dict[str, object], where: str) -> None:
    """Runs a session of `>>>` lines and compares what it prints."""
    report: list[str] = []
    examples = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(examples, out=report.append, clear_globs=False)
    names.update(examples.globs)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_in_a_modules_docstrings_hold(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(name)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (said := ast.get_docstring(node)):
            assert_examples_hold(said, dict(vars(module)), f"{name}, {getattr(node, 'name', 'the module')}")


def commands_listed() -> list[str]:
    """The names of the commands, as `firstlight --help` lists them."""
    done = run("firstlight --help", ROOT)
    assert done.returncode == 0, done.stderr
    listed = re.split(r"Commands", done.stdout, maxsplit=1)[-1]
    return re.findall(r"^[│|\s]*([a-z][a-z-]*)\s{2,}\S", listed, re.MULTILINE)


def test_every_command_and_every_name_is_in_the_documents() -> None:
    said = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    commands = commands_listed()
    assert {"fit", "demo", "predict"} <= set(commands)
    assert [command for command in commands if f"firstlight {command}" not in said] == []
    assert [name for name in getattr(firstlight, "__all__", []) if not re.search(rf"\b{name}\b", said)] == []


def test_every_command_helps_with_examples_of_itself() -> None:
    for command in commands_listed():
        done = run(f"firstlight {command} --help", ROOT)
        assert done.returncode == 0, done.stderr
        assert re.search(rf"Examples?[\s\S]*firstlight {command}\b", done.stdout), f"{command}:\n{done.stdout}"


def test_the_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    last = (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().splitlines()[-1]
    command = shlex.join(shlex.split(last)[1:])  # without exec
    assert command == "make test"
    assert re.search(rf"^(\$ )?{command}\b", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    ("said", "printed"),
    [("accuracy 98.6 %  3 s", "accuracy  97.1 % 4 s"), ("1 152 048 parameters", "940 parameters")],
)
def test_numbers_and_gaps_of_an_output_may_differ_from_the_documents(said: str, printed: str) -> None:
    assert words(said) == words(printed)
    assert words(said) != words(printed.replace("a", "o"))


def test_a_block_is_cut_into_its_commands_and_their_output() -> None:
    block = Block("console", "$ firstlight fit \\\n  a.csv  # a remark\n1 Prepare\n$ firstlight demo\n", line=1)
    assert list(commands_of(block)) == [("firstlight fit    a.csv", ["1 Prepare"]), ("firstlight demo", [])]
    assert list(commands_of(Block("sh", "# first\nfirstlight demo\n", 1))) == [("firstlight demo", [])]
