"""What the tests of the compiler share: hypothesis repeats itself, and takes the time it needs."""

from hypothesis import settings

settings.register_profile("compiler", derandomize=True, deadline=None)
settings.load_profile("compiler")
