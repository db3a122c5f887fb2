"""Which module may import which: the contract in `pyproject.toml`, and what a fresh interpreter really loads."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import CHECKPOINT, MACHINE, ROOT

REPORT = "\nimport json as _json, sys as _sys; print(_json.dumps(sorted(_sys.modules)))"

MATHEMATICS = {"torch", "numpy", "networkx", "safetensors"}


def modules_after(code: str) -> set[str]:
    """The names in `sys.modules` after a fresh interpreter has run the code."""
    command = [sys.executable, "-c", code + REPORT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] in {"rasp", "compiler"}}


def source_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_the_import_contract_is_kept() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_language_loads_neither_the_compiler_nor_mathematics() -> None:
    modules = modules_after("import rasp; rasp.parse('same = tokens;')")
    assert not modules & (MATHEMATICS | {"compiler", "rich"})


def test_running_a_program_loads_no_mathematics(tmp_path: Path) -> None:
    program = tmp_path / "identity.rasp"
    program.write_text("#@ output: same\nsame = tokens;\n")
    modules = modules_after(f"from compiler.cli import main; assert main(['run', {str(program)!r}, 'abc']) == 0")
    assert not modules & MATHEMATICS
    assert "compiler.pipeline" not in modules


def test_the_compiler_package_is_lazy() -> None:
    assert ours(modules_after("import compiler")) == {"compiler"}


def test_the_machine_stands_alone() -> None:
    modules = modules_after("import compiler.model")
    assert ours(modules) == {"compiler", *MACHINE}
    assert not modules & {"lark", "networkx", "rich"}


def test_the_machine_can_be_copied_out(tmp_path: Path) -> None:
    """Under another name, beside a checkpoint's files: nothing else of this project is loaded."""
    import compiler
    import rasp

    program = rasp.parse("same = tokens;")
    compiler.compile(program, output="same", vocab="abc", max_length=4).save(tmp_path / "same")
    shutil.copytree(ROOT / "compiler/model", tmp_path / "machine", ignore=shutil.ignore_patterns("__pycache__"))
    code = """
import json, sys
import machine
from safetensors.torch import load_file
config = json.load(open("same/config.json"))
config = machine.Config.from_json({k: v for k, v in config.items() if k not in ("format", "version", "sha256")})
model = machine.Transformer(config)
model.load_state_dict(load_file("same/model.safetensors"))
assert model.run("cab") == ["c", "a", "b"]
assert not {name.split(".")[0] for name in sys.modules} & {"compiler", "rasp"}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_runs_without_compiler_and_language(tmp_path: Path) -> None:
    import compiler
    import rasp

    program = rasp.parse("same = tokens;")
    compiler.compile(program, output="same", vocab="abc", max_length=4).save(tmp_path / "same")
    modules = modules_after(
        f"import compiler; assert compiler.load({str(tmp_path / 'same')!r}).run('cab') == ['c', 'a', 'b']"
    )
    assert ours(modules) == {"compiler", *MACHINE, *CHECKPOINT}
    assert not modules & {"lark", "networkx", "rich", "torch._dynamo"}


@pytest.mark.parametrize("package", ["rasp", "compiler"])
def test_no_drawer_for_odds_and_ends(package: str) -> None:
    assert not {path.stem for path in source_files(package)} & {"utils", "util", "helpers", "common", "misc"}


def tells_a_type(test: ast.expr) -> bool:
    """Whether an expression does nothing, and only says what a type checker cannot know."""
    match test:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(map(tells_a_type, parts))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return tells_a_type(operand)
        case ast.Call(func=ast.Name(id="isinstance"), args=[subject, _]):
            return is_name(subject)
        case ast.Compare(left=subject, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return is_name(subject)
    return False


def is_name(subject: ast.expr) -> bool:
    while isinstance(subject, ast.Attribute):
        subject = subject.value
    return isinstance(subject, ast.Name)


@pytest.mark.parametrize("package", ["rasp", "compiler"])
def test_an_assert_tells_a_type_and_does_nothing(package: str) -> None:
    """`python -O` leaves them out: what is to happen, and what a user can get wrong, stands elsewhere."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in source_files(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert) and not tells_a_type(node.test)
    ]
    assert found == []


OPTIMISED = """
import sys
import compiler, rasp
from compiler.pipeline import Compiled
made = compiler.compile(rasp.parse(sys.argv[1]))
print(__debug__, sorted(set(vars(made)) & {"model", "warnings"}), made.model.run("ab"))
for text in sys.argv[2:]:
    try:
        compiler.compile(rasp.parse(text))
    except rasp.RaspError as problem:
        print(problem.diagnostics[0].code)
"""
REFUSED = {
    "o = 1 / (length - length);": "never-an-answer",
    "o = aggregate(select(tokens, tokens, ==), indices ^ 9);": "too-many-values",
    "#@ requires: met\n#@ output: o\nmet = length > 99;\no = indices;": "nothing-meant",
}


def test_compile_works_and_refuses_without_asserts() -> None:
    header = '#@ vocab: "ab"\n#@ max_length: 16\n'
    texts = [header + "o = indices;", *(header + text for text in REFUSED)]
    done = subprocess.run(
        [sys.executable, "-O", "-c", OPTIMISED, *texts], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.splitlines() == ["False ['model', 'warnings'] [0, 1]", *REFUSED.values()], done.stderr
