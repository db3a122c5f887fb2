"""Runs the adversary: many seeds, in processes that are watched, one JSON line a seed.

In: seeds, a shard of them, a file. Out: the file, with what came out for each seed; a summary; exit code 1 if there was
a finding. Seeds that the file holds already are not run again, so a run that was ended goes on where it was.
Invariant: no seed can hold up the others: one that takes too much processor time, memory or patience ends its process,
which is a finding, and the next seed gets a new one.

    python -m tests.adversarial --seeds 0-5000 --shard 1/2 --out found.jsonl
    python -m tests.adversarial --programs numeric --seeds 0-400
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from tests.adversarial.worker import PATIENCE, PROGRAMS, Worker, judged

BAD = ("WRONG", "FALSE-BELIEF", "PRINTED", "TRACEBACK", "REFUSED-LATE", "SLOW", "DIED")
LATE = 2
"""Seconds beyond which a refusal is slow."""


def run(
    seeds: Sequence[int], jobs: int, start: Callable[[], Worker] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What came out for each seed, as soon as it is known; `start` starts a process."""
    todo, start = iter(seeds), start or Worker
    workers = [start() for _ in range(min(jobs, len(seeds)))]
    idle = 0
    for worker in workers:
        worker.give(next(todo))
    while idle < len(workers):
        ready = wait([worker.orders for worker in workers if worker.seed is not None], timeout=5)
        for place, worker in enumerate(workers):
            if worker.seed is None or not (worker.orders in ready or time.monotonic() - worker.heard > PATIENCE):
                continue
            found = _outcome(worker)
            if found is None:
                continue
            yield worker.seed, found
            if found["outcome"] in ("SLOW", "DIED"):
                worker = workers[place] = start()
            worker.give(next(todo, None))
            idle += worker.seed is None


def _outcome(worker: Worker) -> dict[str, Any] | None:
    try:
        return worker.heard_of() if worker.orders.poll() else worker.end()
    except (EOFError, ConnectionResetError):
        return worker.end()


def summary(path: Path) -> tuple[str, bool]:
    """What a file of outcomes says, in a few lines, and whether there is a finding."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    outcomes = Counter(row["outcome"] for row in rows)
    codes = Counter(row["code"] for row in rows if row["outcome"] == "refused")
    places = Counter(f"{f['kind']} in {f['stage'].split()[0]}" for row in rows for f in row["findings"])
    unverified = sum(any(note.startswith("not verified") for note in row.get("notes", ())) for row in rows)
    verified = sum("verify" in row.get("seconds", ()) for row in rows)
    answers, spent = (sum(row.get(what, 0) for row in rows) for what in ("inputs", "total"))
    lines = [
        f"{len(rows):,} programs: " + ", ".join(f"{count:,} {what}" for what, count in outcomes.most_common()),
        "refused: " + ", ".join(f"{count:,} {what}" for what, count in codes.most_common()),
        f"{answers:,} inputs with an answer, {spent / max(1, len(rows)):.2f} s of processor time a program",
        f"{verified:,} looked at by verify, {unverified:,} of them not verified",
        *(f"  {count:>6,}  {what}" for what, count in places.most_common()),
        *_by_kind(rows),
        *_slowly_refused(rows),
    ]
    return "\n".join(lines), any(row["outcome"] in BAD for row in rows)


def _by_kind(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How many programs of each kind there are, how many of them are right, and what came out for the others."""
    kinds = sorted({kind for row in rows for kind in row.get("kinds", ())})
    for kind in kinds:
        found = Counter(row.get("code") or row["outcome"] for row in rows if kind in row.get("kinds", ()))
        others = ", ".join(f"{count:,} {what}" for what, count in found.most_common() if what != "right")
        programs, right = found.total(), found["right"]
        yield f"  {kind:<14} {programs:>5,} programs, {right / programs:>4.0%} right  {others}".rstrip()


def _slowly_refused(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The refusals that took long, the longest first."""
    seconds = {row["seed"]: row["seconds"].get("compile", 0) for row in rows if row.get("code")}
    codes = {row["seed"]: row["code"] for row in rows if row.get("code")}
    for seed in sorted(seconds, key=seconds.__getitem__, reverse=True):
        if seconds[seed] > LATE:
            yield f"  seed {seed}: {codes[seed]} after {seconds[seed]:.1f} s"


def main() -> int:
    """Run, and say what came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversarial", description=main.__doc__)
    parser.add_argument("--seeds", default="0-500", help="FIRST-END, the end left out")
    parser.add_argument("--programs", choices=PROGRAMS, default="any", help="how they are drawn")
    parser.add_argument("--shard", default="1/1", help="I/N: every Nth seed, beginning with the Ith")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("adversarial.jsonl"))
    options = parser.parse_args()
    first, end = map(int, options.seeds.split("-"))
    shard, shards = map(int, options.shard.split("/"))
    done = _seeds_of(options.out)
    seeds = [seed for seed in range(first, end) if seed % shards == shard - 1 and seed not in done]
    with options.out.open("a", encoding="utf-8") as file:
        for seed, found in run(seeds, options.jobs, partial(Worker, partial(judged, written=options.programs))):
            print(json.dumps({"seed": seed, **found}, ensure_ascii=False), file=file, flush=True)
            if found["outcome"] in BAD:
                print(f"seed {seed}: {found['outcome']}: {found['findings'][0]['detail'][-200:]}", file=sys.stderr)
    said, bad = summary(options.out)
    print(said)
    return 1 if bad else 0


def _seeds_of(path: Path) -> set[int]:
    """The seeds in a file of outcomes; a last line that was cut short is taken away."""
    if not path.exists():
        return set()
    lines = path.read_text("utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        path.write_text("".join(lines[:-1]), "utf-8")
        lines.pop()
    return {json.loads(line)["seed"] for line in lines}


if __name__ == "__main__":
    raise SystemExit(main())
