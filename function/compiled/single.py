"""Decisions that are reckoned in single precision throughout, as XGBoost's are.

Each number is rounded where XGBoost rounds it (Sigmoid and Softmax in its src/common/math.h), so a
probability is its own to the bit. What is added, multiplied or divided in double precision and then
rounded to single is what single precision gives.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import ldexp

from function.compiled.probabilities import Decide, winner
from function.predictor import Prediction

_STEPS = 32
_POWERS = [2.0 ** (step / _STEPS) for step in range(_STEPS)]
_PER_STEP = float.fromhex("0x1.71547652b82fep+0") * _STEPS
_C = float.fromhex("0x1.c6af84b912394p-5") / _STEPS**3
_B = float.fromhex("0x1.ebfce50fac4f3p-3") / _STEPS**2
_A = float.fromhex("0x1.62e42ff0c52d6p-1") / _STEPS
LEAST, MOST = -104.0, 88.7
"""Below the least an exponential is 0.0; up to the most it is finite, and XGBoost asks no more."""


def single(number: float) -> float:
    """Round to single precision."""
    return array("f", (number,))[0]


def exponential(number: float) -> float:
    """Return glibc's expf (sysdeps/ieee754/flt-32/e_expf.c) of a number up to MOST, in single
    precision: 2 to a whole number of 32nds, times a polynomial for the rest. It is off the nearest
    in one of some hundreds, and so would be math.exp's."""
    if number < LEAST:
        return 0.0
    steps = _PER_STEP * single(number)
    whole = round(steps)
    rest = steps - whole
    factor = (_C * rest + _B) * (rest * rest) + (_A * rest + 1.0)
    return single(ldexp(factor * _POWERS[whole % _STEPS], whole // _STEPS))


def build_boosted_single(names: Sequence[str]) -> Decide:
    """Return the decision of scores in single precision: the softmax of one per class or, of two
    classes, the logistic of the second's, which has it where that is above a half."""

    def decide_binary(scores: Sequence[float], margin: float) -> Prediction | None:
        share = single(1.0 / single(exponential(min(-scores[0], MOST)) + 1.0))
        if abs(share - 0.5) <= margin:
            return None
        shares = (single(1.0 - share), share)
        return Prediction(names[share > 0.5], shares[share > 0.5], shares)

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        largest = max(scores)
        powers = [exponential(score - largest) for score in scores]
        total = single(sum(powers))
        shares = tuple([single(power / total) for power in powers])
        best = winner(shares, margin)
        return None if best is None else Prediction(names[best], shares[best], shares)

    return decide_binary if len(names) == 2 else decide
