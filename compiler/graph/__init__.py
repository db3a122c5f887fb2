"""The graph: the s-ops of a program for one setting, and all that is known of their values and selectors.

`domain` knows the values; `simplify`, with `denominators`, `sorting` and `places`, and `ratios` rewrite; `specialise`
makes the graph.
"""
