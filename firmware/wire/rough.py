"""Whole numbers in one byte, about right: for reports, where the size of a thing is the news.

    code     0..15   the number itself
    code    16..255  (16 + low 4 bits) << (high 4 bits - 1): 16, 17, .. 31, 32, 34, .. 507904

Exact up to 31, at most 1/17 too small beyond, and never too large; what is larger than the largest
becomes the largest. Pure.
"""

MOST = 31 << 14


def to_code(number: int) -> int:
    """The code of the largest number that is not above this one (0 or more)."""
    number = min(number, MOST)
    if number < 16:
        return number
    shift = number.bit_length() - 5
    return (shift + 1) << 4 | (number >> shift) & 15


def from_code(code: int) -> int:
    """The number that a code (0..255) stands for."""
    exponent, mantissa = divmod(code, 16)
    return mantissa if exponent == 0 else (16 + mantissa) << (exponent - 1)
