"""Measuring colour and its steadiness: figures as pure functions of numpy arrays, and the report that applies them.

The arithmetic here shares nothing with the colour conversions that the product uses, so that a mistake in one shows in
the other. Arrays hold their channels last: (..., 3) for RGB and Lab, (..., 2) for ab. RGB is gamma-encoded, 0..1; ab
and chroma are CIE Lab units.
"""
