"""The benchmarks: how long compiling, running, interpreting and checking take, and how large the models are.

In: the programs of `programs/` and a few written in `cases`. Out: tables; JSON or Markdown if asked for.
Invariant: every number comes from a run; what takes too long or is refused has a row that says so.

    python -m benchmarks --quick
    python -m benchmarks --json benchmarks/results.json --markdown docs/benchmarks.md
    python -m benchmarks.table --write docs/table.md
    python -m benchmarks.architecture --write docs/architecture.md
    python -m benchmarks.machines --write docs/machines.md
"""
