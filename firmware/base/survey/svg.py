"""SVG by hand: elements as text, numbers short, everything escaped. Looks the same on every run.

Black and greys on white, a system font, nothing loaded from anywhere: it prints, and it can be
looked at in any browser.
"""

from xml.sax.saxutils import escape, quoteattr

INK, GREY, PALE, RULE = "#1a1a1a", "#8a8a8a", "#e4e4e4", "#c4c4c4"
FONT = "font-family:system-ui,'DejaVu Sans',Arial,sans-serif"


def element(name: str, *children: str, **attributes: str | float) -> str:
    """One element. `_` in an attribute's name stands for `-`; a last `_` is dropped."""
    said = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(number(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{said}>{''.join(children)}</{name}>" if children else f"<{name}{said}/>"


def label(x: float, y: float, words: str, *, size: float = 11, anchor: str = "start",
          fill: str = INK) -> str:  # fmt: skip
    """Words at a place."""
    return element("text", escape(words), x=x, y=y, font_size=size, text_anchor=anchor, fill=fill)


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = RULE) -> str:
    """A thin straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, stroke_width=0.8)


def path(points: list[tuple[float, float]], *, closed: bool = False, fill: str = "none") -> str:
    """A line through points."""
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    end = "Z" if closed else ""
    return element("path", d=f"M{steps}{end}", fill=fill, stroke=INK, stroke_width=1.4,
                   stroke_linejoin="round")  # fmt: skip


def document(width: float, height: float, title: str, *children: str) -> str:
    """A whole file. The title is also what a screen reader says."""
    return element(
        "svg", element("title", escape(title)),
        element("rect", width=width, height=height, fill="#ffffff"), *children,
        xmlns="http://www.w3.org/2000/svg", width=width, height=height,
        viewBox=f"0 0 {number(width)} {number(height)}", role="img", style=FONT,
    ) + "\n"  # fmt: skip


def number(value: str | float) -> str:
    """At most two decimals."""
    if isinstance(value, str):
        return value
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
