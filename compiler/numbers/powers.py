"""Powers of two: what binary floats hold exactly is a whole number of digits times one of them.

In: exact numbers. Out: the power of two above, below or in them.
Invariant: nothing is rounded.

    >>> print(is_dyadic(Fraction(3, 8)), is_dyadic(Fraction(1, 3)), power_above(Fraction(5, 3)), odd(12))
    True False 2 3
"""

from __future__ import annotations

from fractions import Fraction


def is_dyadic(number: Fraction) -> bool:
    """Whether a number is dyadic, a binary fraction: a whole number over a power of two."""
    return number.denominator & (number.denominator - 1) == 0


def is_power(number: Fraction) -> bool:
    """Whether a number is plus or minus a power of two."""
    size = abs(number.numerator)
    return is_dyadic(number) and size & (size - 1) == 0 and size > 0


def power_above(number: Fraction) -> Fraction:
    """The least power of two that a positive number does not exceed."""
    power = Fraction(2) ** (number.numerator.bit_length() - number.denominator.bit_length())
    return power if number <= power else 2 * power


def power_below(number: Fraction) -> Fraction:
    """The largest power of two that is not above a positive number."""
    power = power_above(number)
    return power if power == number else power / 2


def lowest_bit(number: int) -> int:
    """The largest power of two that divides a whole number; 0 for 0."""
    return number & -number


def odd(number: int) -> int:
    """What is left of a whole number without the power of two that divides it; 0 for 0."""
    return number // (lowest_bit(number) or 1)
