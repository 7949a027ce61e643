"""Bar charts as SVG, by hand: nothing to install, and they look the same everywhere."""

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
