"""An adversary: random programs as text, judged against the interpreter at every stage, a process watching over it.

python -m tests.adversarial --seeds 0-5000 --jobs 2 --out found.jsonl
"""
