"""Running: checkpoints, where they came from, and the fast path beside `compiler.model`, which stands alone."""
