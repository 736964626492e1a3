"""Still pictures: each page is coloured on its own, and the file comes out as the type that came in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import ModelError, OutputError, UsageError, printable
from streams.scale import Scaler
from streams.shots import Batch
from streams.source import Frame, VideoSource
from streams.still import Page, Still, check_still, write_still
from vidcolor.brake import Brake
from vidcolor.catalogue import Catalogue
from vidcolor.job import Job, Warnings, mark_of
from vidcolor.options import Options
from vidcolor.watch import Watcher

if TYPE_CHECKING:
    from vidcolor.painter import Picture
    from vidcolor.zoo import LoadedModel

_SUFFIXES = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp"}


class StillJob(Job):
    """A still picture that may be restored."""

    def __init__(self, source: VideoSource, still: Still, target: Path, options: Options) -> None:
        """Settle where it goes.

        Raises:
            OutputError: it cannot be written there, or not in that form.
        """
        if any(value is not None for value in (options.codec, options.crf, options.preset)):
            raise UsageError("--codec, --crf and --preset are for films: a still picture keeps its type")
        super().__init__(target, options)
        check_still(still, target, lossless=options.lossless)
        self._source = source
        self._still = still

    @property
    def total(self) -> int:
        """How many pages there are."""
        return len(self._still.pages)

    def describe(self) -> list[str]:
        """The plan in words."""
        form, kind = self._source.info.format, self._still.file_type
        return [
            f"input {printable(self._still.name)}: {kind}, {form.width}x{form.height}, {form.depth} bits,"
            f" pages: {self.total}",
            f"output {printable(self.target)}: {kind}",
        ]

    def losses(self) -> Iterable[str]:
        """What the output cannot hold."""
        return self._still.warnings

    def work(self, model: LoadedModel, warnings: Warnings, watcher: Watcher, brake: Brake) -> int:
        """Colour all pages and write them."""
        watcher.started(self.total)
        catalogue = Catalogue.of(self.options.labels, self.options.overwrite, model)
        chroma = []
        for frame, page in zip(self._source, self._still.pages, strict=True):
            brake.check()
            picture = self._coloured(frame, page, model, warnings)
            chroma.append((picture.cb, picture.cr))
            catalogue.hear(picture)
            watcher.progressed(len(chroma))
        assert self.target is not None
        mark = str(mark_of(model, self.options, self._source.info.path))
        write_still(self._still, chroma, self.target, mark=mark, lossless=self.options.lossless)
        catalogue.write(self._source.info.name, model)
        return self.total

    def _coloured(self, frame: Frame, page: Page, model: LoadedModel, warnings: Warnings) -> Picture:
        """A page with chroma of its own size: RGB has no smaller one."""
        from vidcolor.painter import Painter
        from vidcolor.planes import ChromaMaker, network_size

        form, spec = page.format, model.colorizer.spec
        size = network_size((form.height, form.width), self.options.side or spec.side, spec.stride)
        maker = ChromaMaker(form, form.carried(form.depth, 0, 0, alpha=False), self.options.saturation)
        painter = Painter(model, maker, lambda text: warnings.tell([text], ModelError), self.options.told)
        small = Scaler().small(frame.luma, size)
        return next(painter.paint([Batch((frame,), small[None], 0, True)]))


def default_still(still: Still, path: Path) -> Path:
    """`old.color.jpg` for `old.jpg`; with the type's own suffix where the name has another's."""
    kept = path.with_name(f"{path.stem}.color{path.suffix}")
    try:
        check_still(still, kept, lossless=False)
    except OutputError:
        return path.with_name(f"{path.stem}.color{_SUFFIXES[still.file_type]}")
    return kept
