"""One picture as a film of one frame: read with all that belongs to it, written as the same type of file."""

from streams.picture import Page, Still
from streams.still_read import PILLOW_FAILS, open_picture, read_still, still_info

__all__ = ["PILLOW_FAILS", "Page", "Still", "open_picture", "read_still", "still_info"]
