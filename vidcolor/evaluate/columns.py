"""Tables for people: which figures they show, under which headings, and how they become Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Rows = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: heading, name of the figure, decimals; ``gain`` sets it against the grey row."""

    heading: str
    name: str
    digits: int = 2
    gain: bool = False
    factor: float = 1.0


_NEUTRAL = (Column("dark", "neutral_dark"), Column("light", "neutral_light"), Column("bars", "neutral_bars"))
_STEADY = (
    Column("E_ab", "e_ab"),
    Column("E_rel", "e_rel", 3),
    Column("CDC - truth's, e-3", "cdc_minus_truth", factor=1e3),
    Column("CDC, e-3", "cdc", factor=1e3),
    Column("jitter", "jitter"),
    Column("flicker", "flicker", 3),
)
STILL_COLUMNS = (
    Column("AuC reb (0.5)", "auc_rebalanced_half"),
    Column("gain", "auc_rebalanced_half", gain=True),
    Column("AuC reb (0)", "auc_rebalanced_zero"),
    Column("gain", "auc_rebalanced_zero", gain=True),
    Column("AuC raw", "auc_raw"),
    Column("gain", "auc_raw", gain=True),
    Column("ab err", "ab_error"),
    Column("CF", "cf", 1),
    Column("CF ratio", "cf_ratio"),
    Column("dCF", "dcf"),
    Column("chroma ratio", "chroma_ratio"),
    Column("PSNR-L", "psnr_l"),
    Column("PSNR", "psnr"),
    Column("luma dB", "luma_psnr", 1),
    *_NEUTRAL,
    Column("bleed", "bleeding", 3),
    Column("sat dist", "saturation_distance"),
    Column("hue bits", "hue_entropy"),
    Column("Frechet", "frechet", 0),
)
CLIP_COLUMNS = (
    *_STEADY,
    Column("E_ab_8", "e_ab_8"),
    Column("E_ab_24", "e_ab_24"),
    Column("drift - truth's", "drift_minus_truth"),
    Column("CF ratio", "cf_ratio"),
    Column("AuC reb (0.5)", "auc_rebalanced_half"),
    Column("ab err", "ab_error"),
    *_NEUTRAL,
    Column("luma dB", "luma_psnr", 1),
)
FILM_COLUMNS = (
    Column("CF", "cf", 1),
    Column("mean chroma", "chroma"),
    Column("palest shot", "palest_shot"),
    Column("most vivid", "vivid_shot"),
    Column("near grey", "near_grey"),
    Column("hue bits", "hue_entropy"),
    Column("E_ab", "e_ab"),
    Column("E_rel", "e_rel", 3),
    Column("CDC - grey's, e-3", "cdc_minus_truth", factor=1e3),
    Column("jitter", "jitter"),
    Column("flicker", "flicker", 3),
    *_NEUTRAL,
    Column("luma dB", "luma_psnr", 1),
)
PHOTO_COLUMNS = (
    Column("CF", "cf", 1),
    Column("mean chroma", "chroma"),
    Column("hue bits", "hue_entropy"),
    *_NEUTRAL,
    Column("luma dB", "luma_psnr", 1),
)
STOCK_COLUMNS = STILL_COLUMNS[:9]
KEY_COLUMNS = (
    Column("ab err", "key_error"),
    Column("25 to 48 frames on", "key_error_late"),
    Column("where flow has lost it", "key_error_lost"),
    Column("share lost", "key_lost"),
    Column("where it was coloured", "key_error_inside"),
    Column("where it was not", "key_error_outside"),
    Column("E_rel", "e_rel", 3),
    Column("jitter", "jitter"),
    Column("core-ms a frame", "key_cost", 1, factor=1e3),
)
DRIFT_COLUMNS = (
    Column("drift", "drift"),
    Column("most on the way", "drift_most"),
    Column("by pixel", "drift_pixels"),
    Column("frames", "frames", 0),
)


def leak_columns(rows: Rows) -> list[Column]:
    """A column a frame after the cut."""
    names = sorted({name for figures in rows.values() for name in figures}, key=lambda name: int(name.split("_")[1]))
    return [Column(f"frame {name.split('_')[1]}", name, 3) for name in names]


def markdown(rows: Rows, columns: Sequence[Column], corner: str) -> str:
    """A table with one line a row; gains are against the row "grey", figures that no row has get no column."""
    columns = [column for column in columns if any(column.name in figures for figures in rows.values())]
    lines = [[corner, *(column.heading for column in columns)], ["---"] + ["---:"] * len(columns)]
    grey = rows.get("grey")
    lines += [[name, *(_cell(column, figures, grey) for column in columns)] for name, figures in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(column: Column, figures: Mapping[str, float], grey: Mapping[str, float] | None) -> str:
    value = figures.get(column.name)
    if value is None:
        return ""
    if column.gain:
        return f"{value - grey[column.name]:+.1f}" if grey else ""
    return f"{value * column.factor:.{column.digits}f}"
