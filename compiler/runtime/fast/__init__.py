"""The fast path: a certified circuit run without scores, where that is quicker.

In: a `Circuit` and its model. Out: `Fast`, a module with the answers of the model. `selection` says what heads select.
Invariant: importing this package pulls in nothing else.

    compiled.fast.run("cab")
"""
