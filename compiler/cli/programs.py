"""`rasp programs`: the library, its sizes, and whether all of it holds."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from compiler.cli.call import DONE, FOUND, Commands, command, positive, whole
from compiler.cli.targets import progress_bar

if TYPE_CHECKING:
    from compiler.programs.survey import Finding

COLUMNS = "{:<11} {:<34} {:>6} {:>6} {:>8} {:>11}  {}"
HEADER = COLUMNS.format("theme", "program", "layers", "heads", "neurons", "parameters", "")


def programs(call: argparse.Namespace) -> int:
    """List the programs that come along with the size of each model; exit code 1 if one fails."""
    from compiler.programs.library import chosen
    from compiler.programs.survey import Effort, findings

    entries = chosen(call.names, call.theme)
    effort = Effort(call.samples, call.seed, call.max_exhaustive) if call.check else None
    found: list[Finding] = []
    if not (call.json or call.markdown):
        print(HEADER.rstrip() + ("  certified, checked" if call.check else "  certified"), flush=True)
    with progress_bar("checking" if call.check else "compiling") as progress:
        for finding in findings(entries, effort, call.jobs, progress):
            found.append(finding)
            if call.json:
                print(json.dumps(finding.to_json(), ensure_ascii=False), flush=True)
            elif not call.markdown:
                print(_line(finding), flush=True)
    if call.markdown:
        print("\n".join(page(found)))
    elif not call.json:
        print("\n".join(_summary(found)))
    return DONE if all(finding.ok for finding in found) else FOUND


def _line(finding: Finding) -> str:
    """One program; of a reason of several lines the first."""
    good = "yes, agrees" if finding.checked else "yes"
    verdict = good if finding.ok else finding.problem.splitlines()[0]
    return COLUMNS.format(
        finding.theme,
        finding.name.rpartition("/")[2],
        finding.layers,
        finding.heads,
        finding.neurons,
        f"{finding.parameters:,}",
        verdict,
    )


def _summary(found: list[Finding]) -> Iterator[str]:
    """How many of each theme are well, and what is wrong with the others."""
    yield ""
    yield f"{'theme':<11} {'programs':>8} {'certified':>9} {'failing':>8} {'seconds':>8}"
    themes = Counter(finding.theme for finding in found)
    for theme in themes:
        yield _counted(theme, [finding for finding in found if finding.theme == theme])
    if len(themes) != 1:
        yield _counted("all", found)
    for finding in found:
        if not finding.ok:
            yield f"\n{finding.name}: {finding.problem}"


def _counted(title: str, found: list[Finding]) -> str:
    certified = sum(finding.certified for finding in found)
    failing = sum(not finding.ok for finding in found)
    seconds = sum(finding.seconds for finding in found)
    return f"{title:<11} {len(found):>8} {certified:>9} {failing:>8} {seconds:>8.1f}"


def page(found: Iterable[Finding]) -> Iterator[str]:
    """The page `docs/library.md`: a table for each theme."""
    findings = list(found)
    yield "# The library"
    yield ""
    yield "Made by `rasp programs --markdown > docs/library.md`. Each program is compiled for its own vocabulary"
    yield "(*tokens*) and longest input (*length*); *certified* means that no rounding can change an answer."
    for theme in dict.fromkeys(finding.theme for finding in findings):
        yield f"\n## {theme.capitalize()}\n"
        yield "| program | what it does | tokens | length | layers | heads | neurons | parameters | certified |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
        yield from (_row(finding) for finding in findings if finding.theme == theme)


def _row(finding: Finding) -> str:
    name = finding.name.rpartition("/")[2]
    sizes = (finding.layers, finding.heads, finding.neurons, finding.parameters)
    return (
        f"| [{name}](../programs/{finding.name}.rasp) | {finding.title.replace('|', '&#124;')} "
        f"| {finding.vocabulary} | {finding.max_length} | "
        + " | ".join(f"{size:,}" for size in sizes)
        + f" | {'yes' if finding.certified else finding.problem.splitlines()[0]} |"
    )


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "programs",
        programs,
        """
        rasp programs
        rasp programs --theme words
        rasp programs --check --jobs 2
        rasp programs sort sequence/median --json
        """,
    )
    flags.add_argument("names", metavar="NAME", nargs="*", help="a program, as `sort` or `words/isogram`; else all")
    library_flags(flags)
    flags.add_argument("--check", action="store_true", help="hold each program against its header and the interpreter")
    form = flags.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a program")
    form.add_argument("--markdown", action="store_true", help="the page docs/library.md")
    flags.add_argument("--samples", metavar="N", type=whole, default=1000, help="random inputs of a check (1000)")
    flags.add_argument("--seed", metavar="N", type=whole, default=0, help="the random inputs' seed (0)")
    flags.add_argument("--max-exhaustive", metavar="N", type=whole, default=400, help="short inputs of a check (400)")


def library_flags(flags: argparse.ArgumentParser) -> None:
    """The flags of commands that go through the library."""
    flags.add_argument("--theme", metavar="THEME", help="only the programs of this folder (`basics`: of none)")
    flags.add_argument(
        "--jobs",
        metavar="N",
        type=positive,
        default=os.cpu_count() or 1,
        help="how many processes (default: one a core)",
    )
