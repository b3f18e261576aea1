"""What the report's pictures are drawn with: elements, scales, ticks, text that fits, and one style.

A picture stands by itself: it loads nothing, runs nothing and has no ids, so that a page can hold any number of them
inline. Its colours (Okabe and Ito 2008, which colour-blind readers tell apart) follow the reader's light or dark
setting. It shrinks with the page, down to where its smallest text has `_LEAST_TEXT` pixels; a narrower page scrolls it.
Whatever comes from data is escaped here.
"""

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NARROW = 390
"""A picture of this width, in its own units, needs no scrolling on a phone of 390 pixels with margins of 16."""
SMALL, NORMAL, TITLE = 12, 13, 15
"""Sizes of text."""
HUES = 7
"""Hues that lines are told apart by; the last one is grey."""
_AREAS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2", "#999999")
AREAS = len(_AREAS)
"""Colours of areas that words lie on, which are the same in light and dark."""
_LEAST_TEXT = 11
_GROWS = 1.35
"""A picture grows with the page up to this many times its own units."""
_WIDE_LETTER, _USUAL_LETTER, _TIGHT_LETTER = 0.62, 0.54, 0.47
"""Mean width of a letter in text sizes: of a wide font, of a usual one, and squeezed as much as reads well."""
_MANY_FOLD = 6
"""Beyond such a range of ratios the ticks are 1, 2 and 5 times powers of ten, or fewer."""
_HATCH = 7
_LEAST = 1e-300
"""Positive values below this, and above its inverse, lie at the ends of scales, whose logarithms stay finite."""
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE = """
.tb { --paper: #ffffff; --ink: #1f2328; --quiet: #59636e; --grid: #d8dee4; --faster: #0072b2; --slower: #d55e00;
  --h0: #0072b2; --h1: #d55e00; --h2: #009e73; --h3: #cc79a7; --h4: #e69f00; --h5: #56b4e9; --h6: #59636e;
  break-inside: avoid; font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) { .tb { --paper: #0d1117; --ink: #e6edf3; --quiet: #9198a1; --grid: #30363d;
  --faster: #4aa3df; --slower: #f0883e; --h0: #4aa3df; --h1: #f0763a; --h2: #2fbf95; --h3: #dd9cc0; --h4: #e6b13a;
  --h5: #8fd0f5; --h6: #9198a1; } }
.tb .paper { fill: var(--paper); }
.tb text { fill: var(--ink); }
.tb .title { font-size: 15px; font-weight: 600; }
.tb .strong { font-weight: 600; }
.tb .quiet { fill: var(--quiet); }
.tb .small { font-size: 12px; }
.tb .wrong { fill: var(--slower); }
.tb .end { text-anchor: end; }
.tb .middle { text-anchor: middle; }
.tb .number { font-variant-numeric: tabular-nums; }
.tb .grid { stroke: var(--grid); fill: none; }
.tb .axis { stroke: var(--quiet); fill: none; }
.tb .hatch { stroke: var(--quiet); stroke-opacity: 0.45; fill: none; }
.tb .cell { fill: var(--grid); fill-opacity: 0.35; }
.tb .faster { fill: var(--faster); }
.tb .slower { fill: var(--slower); }
.tb .fill { fill: var(--hue); }
.tb .line { stroke: var(--hue); stroke-width: 2; fill: none; stroke-linejoin: round; }
.tb .thin { stroke: var(--hue); stroke-width: 1; fill: none; }
.tb .whisker { stroke: var(--hue); stroke-width: 1.5; fill: none; }
.tb .hollow { stroke: var(--hue); stroke-width: 2; fill: var(--paper); }
.tb .band { fill: var(--hue); fill-opacity: 0.13; }
.tb .beyond { stroke-dasharray: 4 3; }
.tb .halo { stroke: var(--paper); stroke-width: 4; paint-order: stroke; stroke-linejoin: round; }
.tb .ink { --hue: var(--ink); }
"""
_STYLE += "".join(f".tb .hue{place} {{ --hue: var(--h{place}); }}\n" for place in range(HUES))
_STYLE += "".join(f".tb .area{place} {{ fill: {colour}; }}\n" for place, colour in enumerate(_AREAS))
_STYLE += "".join(
    f".tb .on-area{place} {{ fill: {'#ffffff' if colour == '#0072b2' else '#14181d'}; }}\n"
    for place, colour in enumerate(_AREAS)
)


def document(title: str, told: str, width: float, height: float, parts: Iterable[str]) -> str:
    """An SVG of these elements: its title and what it tells are read aloud, the style is its own."""
    least, most = math.ceil(width * _LEAST_TEXT / SMALL), round(width * _GROWS)
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" class="tb" role="img" '
            f'viewBox="0 0 {width:g} {math.ceil(height)}" '
            f'style="display:block;width:100%;min-width:{least}px;max-width:{most}px;height:auto">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(told)}</desc>",
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{width:g}" height="{math.ceil(height)}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def escape(words: str) -> str:
    """Words as they may stand in an element or an attribute; characters that XML forbids become U+FFFD."""
    return html.escape(_NOT_IN_XML.sub("�", words))


def group(told: str, *parts: str) -> str:
    """Elements that tell something when pointed at."""
    return f"<g><title>{escape(told)}</title>{''.join(parts)}</g>"


def text(kind: str, x: float, y: float, words: str, room: float = math.inf, size: float = NORMAL) -> str:
    """Words at a base line: squeezed where they might not fit into ``room``, cut and told whole where they cannot."""
    shown = cut(words, room, size)
    whole = f"<title>{escape(words)}</title>" if shown != words else ""
    wide = min(room, len(shown) * size * _USUAL_LETTER)
    squeezed = width_of(shown, size) > room
    length = f' textLength="{wide:.1f}" lengthAdjust="spacingAndGlyphs"' if squeezed else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{length}>{escape(shown)}{whole}</text>'


def cut(words: str, room: float, size: float = NORMAL) -> str:
    """Words that can be squeezed into ``room``, with an ellipsis where the end is missing."""
    letters = max(1, int(min(room, 1e6) / (size * _TIGHT_LETTER)))
    return words if len(words) <= letters else words[: letters - 1].rstrip() + "…"


def width_of(words: str, size: float = NORMAL) -> float:
    """Width that words take at most in most fonts."""
    return len(words) * size * _WIDE_LETTER


def wrapped(words: str, room: float, size: float = NORMAL) -> list[str]:
    """Words as lines, each at most as wide as ``room`` unless a word alone is wider."""
    lines: list[str] = []
    for word in words.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def path(kind: str, points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """Lines from point to point."""
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{steps}{"Z" if closed else ""}"/>'


def box(kind: str, x: float, y: float, width: float, height: float, opacity: float = 1.0) -> str:
    """A rectangle."""
    clear = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}"{clear}/>'


def hatched(x: float, y: float, width: float, height: float) -> str:
    """Slanting lines over a rectangle; drawn one by one, since a pattern would need an id."""
    lines = [
        f"M{x + min(far, width):.1f},{y + max(0.0, far - width):.1f} "
        f"{x + max(0.0, far - height):.1f},{y + min(far, height):.1f}"
        for far in range(_HATCH, int(width + height), _HATCH)
    ]
    return f'<path class="hatch" d="{"".join(lines)}"/>' if lines else ""


def marker(kind: str, device: str, x: float, y: float, radius: float = 4) -> str:
    """A point: round for the CPU, a diamond for any other device."""
    if device == "cpu":
        return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
    wide = radius * 1.4
    return path(kind, [(x - wide, y), (x, y - wide), (x + wide, y), (x, y + wide)], closed=True)


@dataclass(frozen=True)
class Scale:
    """From values between ``low`` and ``high`` to places from ``start`` to ``end``; values beyond lie at the ends."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        """The place of a value."""
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = (math.log(inside) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = (inside - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values along it."""
        return ticks(self.low, self.high) if self.logarithmic else _even_ticks(self.low, self.high)


def scale(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale for these finite values with some room beside them: of logarithms where all are positive."""
    found = list(values)
    low, high = min(found), max(found)
    if low > 0:
        low, high = (min(max(value, _LEAST), 1 / _LEAST) for value in (low, high))
        room = math.exp(0.3 if low == high else min(max(0.05 * (math.log(high) - math.log(low)), 0.1), 1.0))
        return Scale(low / room, high * room, start, end, logarithmic=True)
    room = 0.05 * (high - low) or 1.0
    return Scale(low - room, high + room, start, end, logarithmic=False)


def ticks(low: float, high: float) -> list[float]:
    """Round values between two positive ones: evenly spaced, or of powers of ten where they are many-fold."""
    if math.log(high) - math.log(low) <= math.log(_MANY_FOLD):
        return _even_ticks(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5)):  # the roundest that leave three at least
        found = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in found if low <= value <= high]
        if len(inside) > 2:
            break
    return inside[:: math.ceil(len(inside) / 5)]


def _even_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def spread_out(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, in their order, ``gap`` apart; closer where ``low`` to ``high`` lacks the room."""
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    found = [min(max(wanted[index], low), high) for index in order]
    for place in range(1, len(found)):
        found[place] = max(found[place], found[place - 1] + gap)
    limit = high
    for place in reversed(range(len(found))):
        found[place] = min(found[place], limit)
        limit = found[place] - gap
    by_index = dict(zip(order, found, strict=True))
    return [by_index[index] for index in range(len(wanted))]
