"""One picture as a film of one frame: read with all that belongs to it, written as the same type of file."""

from streams.stills.picture import Page, Still
from streams.stills.read import PILLOW_FAILS, open_picture, read_rgba, read_still, still_info
from streams.stills.write import check_still, encode_still, read_still_mark, write_still

__all__ = [
    "PILLOW_FAILS",
    "Page",
    "Still",
    "check_still",
    "encode_still",
    "open_picture",
    "read_rgba",
    "read_still",
    "read_still_mark",
    "still_info",
    "write_still",
]
