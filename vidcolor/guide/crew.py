"""Who colours a film by keys: the scout that goes before, and the painter that has what it found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streams.formats import PictureFormat
from streams.source import Frame, VideoSource
from vidcolor.brake import Brake
from vidcolor.guide.choose import ShotLook, Wish
from vidcolor.guide.exported import StillColorizer
from vidcolor.guide.hints import BLINK, Hint, Hints, read_hints
from vidcolor.guide.keyframes import looked_at
from vidcolor.guide.keys import listed
from vidcolor.guide.plan import Guidance
from vidcolor.guide.scout import Scout, Wanted
from vidcolor.options import Options
from vidcolor.watch import Watcher

if TYPE_CHECKING:
    from vidcolor.checkpoint import Checkpoint
    from vidcolor.painter import Painter
    from vidcolor.zoo import LoadedModel


@dataclass(frozen=True, slots=True)
class Crew:
    """Who looks for the keys of films.

    Attributes:
        options: say what films are to be coloured by.
        warn: hears which keys are left out.
        watcher: hears how far another network is, and what it did.
        brake: ends it.
    """

    options: Options
    warn: Callable[[str], None]
    watcher: Watcher
    brake: Brake

    def guidance_of(self, film: VideoSource, size: tuple[int, int]) -> Guidance:
        """Find the frames of all keys in a film, which is read for it up to the last of them.

        Args:
            film: that is to be restored; it is not touched.
            size: height and width at which a network sees its frames.

        Raises:
            InputError: a key or a hint is for no frame, or a key cannot be read or has another shape than the film.
            ModelError: the still colorizer cannot be loaded, or fails.
        """
        options = self.options
        references = tuple(map(Path, options.reference))
        if not options.is_keyed:
            return Guidance(references=references)
        wanted = self._wanted(film)
        artist = self._artist(film, size, len(wanted.asked))
        part = (options.start, options.stop)
        begin = Fraction(0) if part != (None, None) else None  # then times count from the film's beginning
        scout = Scout(size, self.warn, self.brake.check, artist.colours if artist else None)
        with closing(VideoSource(film.info.path, start=begin, is_exact=options.resume)) as whole:
            found = scout.find(whole, wanted, part)
        return Guidance(found.keys, found.starts, references, artist.told() if artist else 0.0)

    def _wanted(self, film: VideoSource) -> Wanted:
        options = self.options
        keys = [] if options.keys is None else listed(Path(options.keys))
        hints = Hints() if options.hints is None else read_hints(Path(options.hints))
        asked = self._asked(film, {key.number for key in keys}, hints.hints) if options.guide else frozenset[int]()
        return Wanted(keys, hints, options.hints or "", asked)

    def _artist(self, film: VideoSource, size: tuple[int, int], total: int) -> _Artist | None:
        guide = self.options.guide
        if guide is None:
            return None
        self.watcher.guided(0, total)
        return _Artist(StillColorizer(Path(guide)), film.info.format, size, total, self.watcher)

    def _asked(self, film: VideoSource, keyed: set[int], hints: Sequence[Hint]) -> frozenset[int]:
        """Frames for another network: those with a key or hints, and of shots that have none those that are chosen."""
        assert film.info.path is not None
        shots = looked_at(film.info.path, Wish(), self.brake, is_exact=self.options.resume)
        times = [time for look, _ in shots for time in look.times]
        timed = {bisect_right(times, times[0] + hint.time + BLINK) - 1 for hint in hints if hint.time is not None}
        mine = keyed | timed | {hint.frame for hint in hints if hint.frame is not None}
        asked = set[int]()
        for look, chosen in shots:
            asked |= mine.intersection(look.numbers) or self._wanted_of(look, chosen)
        return frozenset(asked)

    def _wanted_of(self, look: ShotLook, chosen: list[int]) -> set[int]:
        """Those of a shot's chosen frames that are restored; its middle one if none is."""
        start, stop = self.options.start, self.options.stop
        inside = [
            number
            for number, time in zip(look.numbers, look.times, strict=True)
            if (start is None or time >= start) and (stop is None or time < stop)
        ]
        return set(inside).intersection(chosen) or set(inside[len(inside) // 2 :][:1])


@dataclass(frozen=True, slots=True)
class _Artist:
    """A still colorizer at work on a film.

    Attributes:
        colorizer: loaded.
        form: of the film's pictures.
        size: (height, width) that colours are wanted at.
        total: frames that it is asked for.
        watcher: hears how far it is.
    """

    colorizer: StillColorizer
    form: PictureFormat
    size: tuple[int, int]
    total: int
    watcher: Watcher

    def colours(self, frame: Frame) -> NDArray[np.float32]:
        """Of a frame: (2, h, w)."""
        form = self.form
        shade = (frame.luma.astype(np.float32) - form.luma_zero) / np.float32(form.luma_peak - form.luma_zero)
        ab = self.colorizer.colours(np.clip(shade, 0, 1), self.size)
        self.watcher.guided(self.colorizer.frames, self.total)
        return ab

    def told(self) -> float:
        """Say what was done; the seconds that it took."""
        frames, seconds = self.colorizer.frames, self.colorizer.seconds
        self.watcher.noted(f"guide: {frames} frames coloured in {seconds:.1f} s by {self.colorizer.way}")
        return seconds


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
