"""Where things are, for every test: the repository, the programs that come along, the command.

rasp.load(PROGRAMS / "sort.rasp")
subprocess.run([RASP, "lint", PROGRAMS / "sort.rasp"])
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "programs"
BASICS = sorted(PROGRAMS.glob("*.rasp"))
ALL_PROGRAMS = sorted(PROGRAMS.rglob("*.rasp"))
RASP = Path(sys.executable).parent / "rasp"
