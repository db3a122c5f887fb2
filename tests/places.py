"""Where things are, for every test: the repository, the programs that come along, the command.

rasp.load(PROGRAMS / "sort.rasp")
subprocess.run([RASP, "lint", PROGRAMS / "sort.rasp"])
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "programs"
BASICS = sorted(PROGRAMS.glob("*.rasp"))
SEQ2SEQ = sorted((PROGRAMS / "seq2seq").glob("*.rasp"))
"""The programs with a source."""
LOOPS = sorted((PROGRAMS / "loops").glob("*.rasp"))
"""The programs with a loop, of which not everything knows yet."""
ALL_PROGRAMS = sorted({*PROGRAMS.rglob("*.rasp")} - {*SEQ2SEQ} - {*LOOPS})
RASP = Path(sys.executable).parent / "rasp"

MACHINE = {"compiler.model", *(f"compiler.model.{path.stem}" for path in (ROOT / "compiler/model").glob("[!_]*.py"))}
"""The modules of a running transformer."""
CHECKPOINT = {
    *("compiler.runtime", "compiler.runtime.folders", "compiler.runtime.checkpoint"),
    *(f"compiler.runtime.checkpoint.{path.stem}" for path in (ROOT / "compiler/runtime/checkpoint").glob("[!_]*.py")),
}
"""What reads one from a folder."""
