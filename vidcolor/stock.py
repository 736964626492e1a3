"""What black-and-white film could see: the stocks, the light they answered to, and which of them a year suggests."""

from __future__ import annotations

from types import MappingProxyType

Shares = tuple[float, float, float]
Range = tuple[float, float]

STOCKS = MappingProxyType(
    {
        "blue": ((0.00, 0.06), (0.04, 0.18), (0.76, 0.96)),
        "ortho": ((0.00, 0.10), (0.40, 0.55), (0.38, 0.58)),
        "pan": ((0.15, 0.40), (0.35, 0.65), (0.10, 0.40)),
    }
)
"""Ranges of the shares of red, green and blue, in linear light, that a stock sees.

"blue": plates and films as they come, sensitive to blue alone. "ortho": sensitized for green, blind to red. "pan":
sensitized for all light, at first with too much blue. Plausible ranges, not a standard; networks are trained on them.
"""

FIRST_ORTHO, FIRST_PAN = 1900, 1926
EARLIEST, LATEST = 1826, 2100
"""The first photograph that is left to us, and a year that no typing error of a film's year is below."""


def stock_of(year: int) -> str:
    """The stock that was in common use in a year.

    Sensitized emulsions were sold from the 1880s on and named as motion picture stock by 1916; panchromatic cine film
    was made to order from 1913, sold to all from 1922, cost no more than the other from 1926, and was the standard by
    1930 (Kodak, Chronology of Motion Picture Films; Image Permanence Institute, filmcare.org). Where one ends and the
    next begins is a convention: many films of the 1890s were sensitized, amateurs used orthochromatic film for decades
    longer.
    """
    if year < FIRST_ORTHO:
        return "blue"
    return "ortho" if year < FIRST_PAN else "pan"


def mean_shares(stock: str) -> Shares:
    """The middle of a stock's ranges, scaled to sum 1: what a network is told of it.

    Raises:
        KeyError: no such stock.
    """
    red, green, blue = ((low + high) / 2 for low, high in STOCKS[stock])
    whole = red + green + blue
    return red / whole, green / whole, blue / whole
