"""Promises about the house itself: which room may know which, that every flag is told of, that errors have codes."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import streams.errors
import vidcolor
from streams.errors import FilmError, Interrupted, ReaderLeft
from vidcolor.cli.command import COMMANDS, build_parser, explain
from vidcolor.options import Options

ROOT = Path(__file__).parents[1]
PACKAGES = ("streams", "vidcolor", "demo")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports_of(path: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def rooms(path: Path, *, top_only: bool = False) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path, top_only=top_only)}


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [p for p in modules() if p.is_relative_to(ROOT / "streams")], ids=names)
def test_streams_knows_neither_torch_nor_colour(path: Path) -> None:
    assert not rooms(path) & {"torch", "vidcolor", "demo", "gradio"}


@pytest.mark.parametrize("path", [p for p in modules() if not p.is_relative_to(ROOT / "demo")], ids=names)
def test_nothing_imports_the_page(path: Path) -> None:
    assert "demo" not in rooms(path) or path.is_relative_to(ROOT / "vidcolor" / "cli")
    assert "gradio" not in rooms(path)


@pytest.mark.parametrize("path", list(modules()), ids=names)
def test_one_room_knows_ray(path: Path) -> None:
    assert "ray" not in rooms(path) or path == ROOT / "vidcolor" / "cluster" / "engine.py"


@pytest.mark.parametrize(
    "path",
    [ROOT / "vidcolor" / "color.py", *sorted((ROOT / "vidcolor" / "models").glob("*.py"))],
    ids=names,
)
def test_networks_and_colour_know_no_film(path: Path) -> None:
    assert not rooms(path) & {"streams", "av", "PIL"}
    assert not imports_of(path) & {"vidcolor.pipeline", "vidcolor.painter", "vidcolor.planes"}


@pytest.mark.parametrize(
    "path",
    [p for p in modules() if not p.is_relative_to(ROOT / "vidcolor" / "cli") and p.name != "__main__.py"],
    ids=names,
)
def test_only_doors_import_doors(path: Path) -> None:
    if path.is_relative_to(ROOT / "demo"):
        return
    assert not any(name.startswith("vidcolor.cli") for name in imports_of(path))


@pytest.mark.parametrize("path", sorted((ROOT / "vidcolor" / "cli").glob("*.py")), ids=names)
def test_doors_load_nothing_heavy_before_they_are_used(path: Path) -> None:
    assert not rooms(path, top_only=True) & {"torch", "numpy", "av", "PIL", "gradio", "safetensors"}


def test_importing_vidcolor_loads_neither_torch_nor_gradio() -> None:
    assert not loaded_by("import vidcolor") & {"torch", "gradio", "numpy", "av"}


def test_importing_streams_loads_no_torch() -> None:
    assert not loaded_by("import streams.source, streams.sink") & {"torch", "vidcolor", "gradio"}


def test_the_help_loads_nothing_heavy() -> None:
    code = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n"
    code += "    from vidcolor.cli import main\n    main(['--help'])\n    main(['restore', '--help'])"
    assert not loaded_by(code) & {"torch", "gradio", "numpy", "av", "rich", "PIL"}


def test_planning_a_film_loads_no_torch() -> None:
    assert "torch" not in loaded_by("import vidcolor.pipeline")


def test_every_public_name_is_there() -> None:
    for name in vidcolor.__all__:
        assert getattr(vidcolor, name).__doc__, f"vidcolor.{name} says nothing of itself"
    with pytest.raises(AttributeError):
        _ = vidcolor.nothing_of_that_name  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", list(modules()), ids=names)
def test_every_room_says_what_it_is_for(path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert doc and doc.splitlines()[0].endswith(".")


@pytest.mark.parametrize("path", list(modules()), ids=names)
def test_rooms_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, "find two rooms in it"


def errors() -> list[type[FilmError]]:
    found = [item for item in vars(streams.errors).values() if inspect.isclass(item) and issubclass(item, FilmError)]
    assert len(found) >= 6
    return found


@pytest.mark.parametrize("kind", errors())
def test_every_error_has_an_exit_code(kind: type[FilmError]) -> None:
    code, sentence = explain(kind("one sentence"))
    assert code in {2, 3, 4, 5, 130}
    assert "one sentence" in sentence or kind in (Interrupted, ReaderLeft)


def flags() -> list[tuple[str, str, str | None]]:
    """Every command's flags: (command, flag, help)."""
    parsers = next(action for action in build_parser()._actions if action.dest == "command_name")
    assert isinstance(parsers.choices, dict)
    return [
        (name, flag, action.help)
        for name, parser in parsers.choices.items()
        for action in parser._actions
        for flag in action.option_strings
        if action.dest != "help"
    ]


def test_every_command_is_on_the_list() -> None:
    commands = {path.stem for path in (ROOT / "vidcolor" / "cli").glob("*.py")}
    speech = {"__init__", "bar", "choose", "command", "hand", "many", "supervisor", "voice"}
    assert commands - speech == {module.__name__.rsplit(".", 1)[1] for module in COMMANDS}


@pytest.mark.parametrize(("command", "flag", "text"), flags())
def test_every_flag_is_documented(command: str, flag: str, text: str | None) -> None:
    assert text, f"{command} {flag} has no help"
    manual = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"`{flag}" in manual or f" {flag}`" in manual or f"`{flag}`" in manual, f"docs/commands.md lacks {flag}"


def test_every_option_has_a_flag_of_its_own() -> None:
    known = {flag for command, flag, _ in flags() if command == "restore"} | {"--overwrite"}  # -y
    assert {f"--{name}" for name in Options.__dataclass_fields__} <= known


def test_every_option_is_described() -> None:
    described = Options.__doc__ or ""
    for name in Options.__dataclass_fields__:
        assert f"{name}:" in described or f"{name}," in described, name


def named_tests() -> list[str]:
    """The tests that the table of promises names, as `file::name`."""
    found, file = [], ""
    table = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for place, name in re.findall(r"`(?:(test_\w+\.py)::)?(test_\w+)`", table):
        file = place or file
        found.append(f"{file}::{name}")
    return found


@pytest.mark.parametrize("name", sorted(set(named_tests())))
def test_the_table_of_promises_names_tests_that_are_there(name: str) -> None:
    file, _, function = name.partition("::")
    assert f"def {function}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_the_table_has_all_sixty_promises() -> None:
    table = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.M)] == list(range(1, 61))
