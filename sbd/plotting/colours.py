"""The colours of the figures, each with one name."""

RED, ORANGE, PURPLE = "#d62f2a", "#f5871f", "#7a1a87"
"""Marks on images: a pixel or a box, a second one, what is left over."""

INK, GREY, SILVER, PALE = "#444444", "#8a8a8a", "#9aa5b1", "#eeeeee"
"""Words and guide lines, what is passed over, bars, fields behind a chart."""

BRICK, STEEL, OCHRE, GREEN = "#c8372d", "#2c5f8a", "#b58a2b", "#5d8a4a"
"""Lines of charts; the first is what the chart is about."""

SKY, SCARLET = "#49b0ff", "#ff4433"
"""Columns on images: true, and invented."""
