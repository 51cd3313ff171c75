"""`firstlight demo` from its call to its files: the page in a real browser, the script by a bare interpreter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.course.demo import run_demo
from firstlight.course.lesson import Lesson
from firstlight.refusal import Refused

# An interpreter that finds what is installed, but no firstlight.
WITHOUT_FIRSTLIGHT = "import runpy, sys; sys.modules['firstlight'] = None; runpy.run_path({!r}, run_name='__main__')"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    """A line with noise, so that a script which forgot the noise would not agree."""
    return run_demo(weight=0.3, bias=0.9, noise=0.1, rows=60, epochs=70, seed=3, out=tmp_path_factory.mktemp("demo"))


def test_the_demo_leaves_a_report_a_script_and_two_models(lesson: Lesson) -> None:
    folder = lesson.by_hand.file.parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "line.py", "line.safetensors", "linear.safetensors", "report.html",
    ]  # fmt: skip


def test_the_script_finds_the_same_parameters_where_firstlight_is_not_installed(lesson: Lesson, tmp_path: Path) -> None:
    folder = lesson.by_hand.file.parent
    command = [sys.executable, "-I", "-c", WITHOUT_FIRSTLIGHT.format(str(folder / "line.py"))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    ends = re.findall(r"and ends with (\S+) (\S+) test loss (\S+)", done.stdout)
    expected = [
        (str(model.final.weight), str(model.final.bias), str(model.test_loss))
        for model in (lesson.by_hand, lesson.by_layer)
    ]
    assert ends == expected
    for name in ("line.safetensors", "linear.safetensors"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_script_never_speaks_of_firstlight_below_its_first_comment(lesson: Lesson) -> None:
    _, head, body = lesson.script.split('"""', maxsplit=2)
    assert "firstlight" in head
    assert "firstlight" not in body


def test_the_page_of_the_lesson_keeps_what_every_page_promises(
    lesson: Lesson, check_page: Callable[[Path], None]
) -> None:
    check_page(lesson.by_hand.file.parent / "report.html")


def test_the_same_demo_twice_gives_the_same_bytes(lesson: Lesson, tmp_path: Path) -> None:
    again = run_demo(weight=0.3, bias=0.9, noise=0.1, rows=60, epochs=70, seed=3, out=tmp_path)
    for name in ("line.py", "line.safetensors", "linear.safetensors"):
        assert (tmp_path / name).read_bytes() == (lesson.by_hand.file.parent / name).read_bytes()
    first, second = (one.by_hand.file.parent for one in (lesson, again))
    page, other = ((folder / "report.html").read_text("utf-8").replace(str(folder), "") for folder in (first, second))
    assert page == other


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(Refused, match=r"cannot be written: .*\.$"):
        run_demo(epochs=1, out=tmp_path / "file" / "line")


def test_a_refused_demo_does_not_wait_for_torch() -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from firstlight.course.demo import run_demo\n"
        "from firstlight.refusal import Refused\n"
        "try:\n"
        "    run_demo(rows=1, out=Path('nowhere'))\n"
        "except Refused:\n"
        "    print(*sorted({'torch', 'altair', 'polars', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
