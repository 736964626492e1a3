"""Measuring colour and its steadiness."""
