"""An account's accent colour as a small stylesheet: its text is readable on paper by contrast, computed."""

from dataclasses import dataclass

Rgb = tuple[float, float, float]  # each 0–1

LIGHT_PAPER, DARK_PAPER = "#faf7f2", "#171614"
WHITE, BLACK = "#ffffff", "#000000"
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3: text
TINT = {"light": 0.12, "dark": 0.22}  # how much accent is in the person's bubble


@dataclass(frozen=True, slots=True)
class Accent:
    """`colour` is readable on its paper, `ink` on the colour; `tint` is the colour let down with paper."""

    colour: str
    ink: str
    tint: str


def stylesheet(colour: str) -> str:
    light, dark = (
        accent_on(colour, LIGHT_PAPER, share=TINT["light"]),
        accent_on(colour, DARK_PAPER, share=TINT["dark"]),
    )
    return (
        f":root{{{_properties(light)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_properties(dark)}}}}}\n"
        f":root[data-theme=dark]{{{_properties(dark)}}}\n"
    )


def _properties(accent: Accent) -> str:
    return f"--accent:{accent.colour};--accent-ink:{accent.ink};--tint:{accent.tint}"


def accent_on(colour: str, paper: str, *, share: float) -> Accent:
    """The colour moved towards black (or white on dark paper) until it can be read there, and on its tint."""
    towards = BLACK if luminance(paper) > 0.5 else WHITE
    for step in range(21):
        moved = mixed(towards, colour, share=step / 20)
        tint = mixed(moved, paper, share=share)
        if contrast(moved, paper) >= LEAST_CONTRAST and contrast(moved, tint) >= LEAST_CONTRAST:
            break
    ink = max((WHITE, BLACK), key=lambda one: contrast(one, moved))
    return Accent(moved, ink, tint)


def mixed(over: str, under: str, *, share: float) -> str:
    pairs = zip(_rgb(over), _rgb(under), strict=True)
    return "#" + "".join(f"{round(255 * (a * share + b * (1 - share))):02x}" for a, b in pairs)


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black and white), as WCAG defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
