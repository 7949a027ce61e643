"""Bars and lines as SVG, by hand: nothing to install, and they look the same everywhere."""

import itertools
import math
import statistics
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 760, 190, 70
BAR, GAP, TOP, BOTTOM = 13, 12, 58, 14
COLOURS = ("#2f6db5", "#8db8e8", "#d0782a", "#f0bd88")
OURS = "#f2f6fb"
LONGEST = 10    # a bar, in medians of all; an outlier must not hide the others


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _legend(series):
    x, parts = LEFT, []
    for name, colour in zip(series, COLOURS):
        parts.append(f'<rect x="{x}" y="34" width="10" height="10" fill="{colour}"/>'
                     f'<text x="{x + 14}" y="43">{escape(name)}</text>')
        x += 34 + 6.5 * len(name)
    return parts


def _bar(at, colour, value, most, scale):
    """One bar with its number; one that is longer than there is room ends in a point."""
    end = LEFT + min(value, most) * scale
    top, bottom = at, at + BAR - 2
    tip = end + 6 if value > most else end
    return (f'<polygon points="{LEFT},{top} {end:.1f},{top} {tip:.1f},{(top + bottom) / 2} '
            f'{end:.1f},{bottom} {LEFT},{bottom}" fill="{colour}"/>'
            f'<text x="{tip + 4:.1f}" y="{at + 10}" font-size="10.5">{number(value)}</text>')


def bars(title, series, groups, ours=("pamtunnel",)):
    """series: names of the bars of each group. groups: (name, values), None where there is none.

    Groups whose name begins with one of ours have a background of their own.
    """
    found = [value for _, values in groups for value in values if value]
    most = min(max(found, default=1), LONGEST * statistics.median(found or [1]))
    height_of = len(series) * BAR + GAP
    height = TOP + height_of * len(groups) + BOTTOM
    scale = (WIDTH - LEFT - RIGHT) / most
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" font-family="sans-serif" font-size="12" fill="#222">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             f'<text x="14" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
             *_legend(series)]
    y = TOP
    for name, values in groups:
        if name.startswith(ours):
            parts.append(f'<rect x="0" y="{y - GAP / 2}" width="{WIDTH}" height="{height_of}" '
                         f'fill="{OURS}"/>')
        parts.append(f'<text x="{LEFT - 10}" y="{y + (height_of - GAP) / 2 + 4}" '
                     f'text-anchor="end">{escape(name)}</text>')
        for index, value in enumerate(values):
            at = y + index * BAR
            if value is None:
                parts.append(f'<text x="{LEFT + 4}" y="{at + 10}" fill="#888">–</text>')
                continue
            parts.append(_bar(at, COLOURS[index], value, most, scale))
        y += height_of
    return "\n".join(parts) + "\n</svg>\n"


# ---- lines over time

ROOM, UP, DOWN, SIDE = 330, 46, 34, 200     # pixels: height of the plot, around it, for names
PALETTE = ("#777777", "#8db8e8", "#d0782a", "#3c9a5f", "#a04fb0", "#b8a12c", "#c2434f", "#4aa3b5",
           "#7d5a3c", "#e08fb5")


def _decades(lowest, highest):
    """Powers of ten around them."""
    low, high = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    return [10.0 ** power for power in range(low, max(high, low + 1) + 1)]


def _grid(marks, y_of, seconds, x_of):
    right = WIDTH - SIDE
    for mark in marks:
        yield (f'<line x1="60" x2="{right}" y1="{y_of(mark):.1f}" y2="{y_of(mark):.1f}" '
               f'stroke="#ddd"/><text x="54" y="{y_of(mark) + 4:.1f}" '
               f'text-anchor="end">{mark:,g}</text>')
    for part in range(5):
        at = seconds * part / 4
        yield (f'<text x="{x_of(at):.1f}" y="{UP + ROOM + 18}" text-anchor="middle">'
               f'{at:.3g} s</text>')


def lines(title, groups, ours=("pamtunnel",)):
    """groups: (name, [(second, value), ...]). The values' axis is logarithmic."""
    groups = [(name, [(x, y) for x, y in points if y > 0]) for name, points in groups]
    groups = [(name, points) for name, points in groups if points]
    values = [y for _, points in groups for _, y in points] or [1]
    seconds = math.ceil(max((x for _, points in groups for x, _ in points), default=1)) or 1
    marks = _decades(min(values), max(values))
    span = math.log10(marks[-1] / marks[0])

    def y_of(value):
        return UP + ROOM - ROOM * math.log10(value / marks[0]) / span

    def x_of(second):
        return 60 + (WIDTH - SIDE - 60) * second / seconds
    height = UP + ROOM + DOWN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" font-family="sans-serif" font-size="12" fill="#222">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             f'<text x="14" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
             *_grid(marks, y_of, seconds, x_of)]
    others = itertools.cycle(PALETTE)
    for index, (name, points) in enumerate(groups):
        colour, wide = (COLOURS[0], 3) if name in ours else (next(others), 1.4)
        where = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        at = UP + 12 + 20 * index
        parts.append(f'<polyline points="{where}" fill="none" stroke="{colour}" '
                     f'stroke-width="{wide}"/>'
                     f'<rect x="{WIDTH - SIDE + 14}" y="{at - 9}" width="10" height="10" '
                     f'fill="{colour}"/><text x="{WIDTH - SIDE + 30}" y="{at}">'
                     f'{escape(name)}</text>')
    return "\n".join(parts) + "\n</svg>\n"
