"""The benches' figures as plots: SVG files beside bench/README.md, one for each question of growth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pygal import XY, Config
from pygal.style import LightColorizedStyle

Series = Mapping[str, Sequence[tuple[float, float]]]


def plot(path: Path, title: str, axes: tuple[str, str], series: Series) -> str:
    """Write the plot of these points (from zero upwards); the line of Markdown that shows it."""
    config = Config(
        js=[],
        style=LightColorizedStyle,
        width=760,
        height=360,
        legend_at_bottom=True,
        show_x_guides=False,
        range=(0, max(y for points in series.values() for _, y in points) * 1.1),
        value_formatter=lambda value: f"{value:,.3g}" if value < 1000 else f"{value:,.0f}",
        x_value_formatter=lambda value: f"{value:,.0f}",
        no_prefix=True,
    )
    chart = XY(config, title=title, x_title=axes[0], y_title=axes[1])
    for name, points in series.items():
        chart.add(name, list(points))
    path.write_text(chart.render(is_unicode=True), encoding="utf-8")
    return f"![{title}]({path.name})"
