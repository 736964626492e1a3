"""Who colours a film by keys: the scout that goes before, and the painter that has what it found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from streams.formats import PictureFormat
from streams.source import VideoSource
from vidcolor.brake import Brake
from vidcolor.guide.keys import listed
from vidcolor.guide.plan import Guidance
from vidcolor.guide.scout import Scout
from vidcolor.options import Options

if TYPE_CHECKING:
    from vidcolor.checkpoint import Checkpoint
    from vidcolor.painter import Painter
    from vidcolor.zoo import LoadedModel


def guidance_of(
    film: VideoSource, options: Options, size: tuple[int, int], warn: Callable[[str], None], brake: Brake
) -> Guidance:
    """Find the frames of all keys in a film, which is read for it up to the last of them.

    Args:
        film: that is to be restored; it is not touched.
        options: say what it is to be coloured by.
        size: height and width at which a network sees its frames.
        warn: hears which keys are left out.
        brake: ends it.

    Raises:
        InputError: a key names no frame, cannot be read, or has another shape than the film.
    """
    references = tuple(map(Path, options.reference))
    if options.keys is None:
        return Guidance(references=references)
    files, part = listed(Path(options.keys)), (options.start, options.stop)
    begin = Fraction(0) if part != (None, None) else None  # then times count from the film's beginning
    with closing(VideoSource(film.info.path, start=begin, is_exact=options.resume)) as whole:
        found = Scout(size, warn, brake.check).find(whole, files, part)
    return Guidance(found.keys, found.starts, references)


def painter_of(
    model: LoadedModel,
    forms: tuple[PictureFormat, PictureFormat],
    options: Options,
    warn: Callable[[str], None],
    since: Checkpoint | None,
    guidance: Guidance,
) -> Painter:
    """The painter of a film with keys; `forms` are the film's pictures' as they come and as they go."""
    from vidcolor.guide.chroma import FineChromaMaker
    from vidcolor.guide.painting import GuidedPainter, reach_of

    maker = FineChromaMaker(*forms, options.saturation)
    form = forms[0]
    reach = reach_of(form.width * form.height * (2 if form.depth > 8 else 1) * 3 // 2)
    return GuidedPainter(model, maker, warn, options.told, since).led_by(guidance, reach)
