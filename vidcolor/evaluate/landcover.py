"""How much land-cover classes gain from restored colour: figures of a classifier's confusion."""

from __future__ import annotations

import numpy as np

from vidcolor.evaluate.lab import Floats


def macro_f1(confusion: Floats) -> float:
    """Mean over classes that occur of 2 TP / (true count + predicted count); (Q, Q), rows true, columns predicted."""
    true, predicted = confusion.sum(1), confusion.sum(0)
    scores = 2 * np.diag(confusion)[true > 0] / (true + predicted)[true > 0]
    return float(scores.mean())


def recovery(restored: float, grey: float, true: float) -> float:
    """Share of the way from the grey's score to the true colours' that restoring covers."""
    return (restored - grey) / (true - grey)
