"""Numbers stay finite: what is certified never leaves the range of its dtype, and `compile` and `verify` agree on it."""
