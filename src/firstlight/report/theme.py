"""How every chart looks: one Vega-Lite configuration, in the colours that page.css names.

The colours are CSS variables. The browser resolves them where a chart is drawn, so a chart follows the page
into the dark and onto paper without being drawn anew. Shape, place and words carry the meaning; colour helps.
"""

from __future__ import annotations

INK = "var(--ink)"  # words, and marks that must be seen first
SOFT = "var(--soft)"  # axis labels, marks of second rank
RULE = "var(--rule)"  # grid lines
PAPER = "var(--paper)"  # what lies behind: for words upon a dark mark
MAIN = "var(--main)"  # the thing in question: the network, the training rows, the kept model
OTHER = "var(--other)"  # what it is held against: the test rows, a baseline

PALE = "var(--pale)"  # a filled area under an outline

CATEGORIES = (MAIN, OTHER, "var(--third)", "var(--fourth)", "var(--fifth)", "var(--sixth)")

_TEXT = {
    "labelFontSize": 12,
    "labelColor": SOFT,
    "titleFontSize": 12,
    "titleColor": SOFT,
    "titleFontWeight": "normal",
}

# What a chart says of itself in its own `config` wins over this.
CONFIG: dict[str, object] = {
    "aria": False,  # the page names each chart; a screen reader need not walk through a thousand points
    "background": "transparent",
    "padding": {"left": 0, "top": 6, "right": 6, "bottom": 0},
    "view": {"stroke": None, "continuousHeight": 220, "discreteHeight": {"step": 26}},
    "axis": {
        **_TEXT,
        "labelPadding": 6,
        "titlePadding": 10,
        "domain": False,
        "ticks": False,
        "gridColor": RULE,
        "gridWidth": 1,
    },
    "axisX": {
        "grid": False,
        "domain": True,
        "domainColor": SOFT,
        "ticks": True,
        "tickColor": SOFT,
        "tickSize": 4,
        "labelFlush": True,
        "tickCount": {"signal": "max(3, min(8, floor(width / 80)))"},
    },
    # The title of the upright axis lies flat above it: nobody has to turn the head.
    "axisY": {
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": "end",
        "titleBaseline": "bottom",
        "titleX": 0,
        "titleY": -10,
        "tickCount": {"signal": "max(2, min(5, floor(height / 40)))"},
    },
    "axisBand": {"grid": False, "domain": False, "ticks": False, "labelColor": INK},
    "legend": {
        **_TEXT,
        "labelColor": INK,
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "columnPadding": 18,
        "labelLimit": 220,
        "symbolSize": 90,
        "labelOffset": 7,
        "offset": 30,  # above the title of the upright axis
    },
    "text": {"color": INK, "fontSize": 12},
    "mark": {"color": MAIN},
    "bar": {"color": MAIN},
    "rect": {"color": MAIN},
    "line": {"color": MAIN, "strokeWidth": 2},
    "area": {"color": MAIN, "opacity": 0.25},
    "point": {"color": MAIN, "size": 50, "filled": True, "opacity": 1},
    "circle": {"color": MAIN, "size": 40},
    "tick": {"color": INK, "thickness": 2, "opacity": 1},
    "rule": {"color": SOFT},
    "range": {"category": list(CATEGORIES), "ramp": {"scheme": "viridis"}, "heatmap": {"scheme": "viridis"}},
}
