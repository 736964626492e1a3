"""Guided colour: a few coloured frames, made with any tool, carried through the shots that they stand in."""
