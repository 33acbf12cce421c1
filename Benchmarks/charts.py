"""A small writer of SVG charts: lines by number of clients, and a heat map.

Each chart brings its own background and follows the reader's choice of light or dark, so that text is readable
wherever the picture is shown. Strategies differ in marker as well as in colour.
"""

import math
from xml.sax.saxutils import escape

from contention import nice_ceiling, skew_title

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #33373d }
.title { font-size: 14px; font-weight: 600 }
.card { fill: #fbfbfa; stroke: #d9dadc }
.grid { stroke: #dfe0e2 } .axis { stroke: #8a8f96 }
.hybrid { stroke: #1f77d0; fill: #1f77d0 } .optimistic { stroke: #d97a00; fill: #d97a00 }
.pessimistic { stroke: #149174; fill: #149174 } .default { stroke: #a0469e; fill: #a0469e }
.line { fill: none; stroke-width: 1.8 } .line.hybrid { stroke-width: 3 }
.gain { fill: #149174 } .loss { fill: #d9480f }
@media (prefers-color-scheme: dark) {
  text { fill: #d3d6da } .card { fill: #16191d; stroke: #33383e }
  .grid { stroke: #2b3036 } .axis { stroke: #79818a }
}
"""

PANEL_WIDTH, PANEL_HEIGHT = 300, 200
LEFT, TOP, GAP, BOTTOM, RIGHT = 70, 66, 96, 52, 24


class Picture:
    def __init__(self, width, height, title):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                      f'height="{height}" role="img"><title>{escape(title)}</title><style>{STYLE}</style>'
                      f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>']
        self.text(width / 2, 24, title, kind="title")

    def text(self, x, y, text, anchor="middle", kind="", turned=False):
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>'
                          f"{escape(text)}</text>")

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def path(self, points, kind):
        self.parts.append(f'<polyline class="line {kind}" points="'
                          + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')

    def marker(self, x, y, kind):
        if kind == "hybrid":
            shape = f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        elif kind == "optimistic":
            shape = f'<rect class="{kind}" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
        else:
            shape = f'<path class="{kind}" d="M{x:.1f},{y - 4.5:.1f} l4.5,8 h-9 z"/>'
        self.parts.append(shape)

    def cell(self, x, y, width, height, kind, strength):
        self.parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                          f'fill-opacity="{strength:.2f}"/>')

    def write(self, path):
        with open(path, "w") as file:
            file.write("\n".join(self.parts) + "\n</svg>\n")


class LinearScale:
    def __init__(self, highest):
        self.highest = nice_ceiling(highest)
        steps = 4 if self.highest / 10 ** math.floor(math.log10(self.highest)) < 2.1 else 5
        self.ticks = [self.highest * step / steps for step in range(steps + 1)]

    def part(self, value):
        return value / self.highest


class LogarithmicScale:
    def __init__(self, lowest, highest):
        # 1, 2, 5, 10 …: few enough to be read
        ticks = [step * 10 ** power for power in range(-4, 7) for step in (1, 2, 5)]
        below = max((tick for tick in ticks if tick <= lowest), default=ticks[0])
        above = min((tick for tick in ticks if tick >= highest and tick > below), default=ticks[-1])
        self.ticks = [tick for tick in ticks if below <= tick <= above]

    def part(self, value):
        low, high = math.log(self.ticks[0]), math.log(self.ticks[-1])
        return (math.log(max(value, self.ticks[0])) - low) / (high - low)


class Panel:
    """One pair of axes; clients go along the horizontal one, each doubling the same distance."""

    def __init__(self, picture, left, clients, scale, label):
        self.picture, self.left, self.clients, self.scale = picture, left, clients, scale
        bottom = TOP + PANEL_HEIGHT
        for tick in scale.ticks:
            y = self.y(tick)
            picture.line(left, y, left + PANEL_WIDTH, y, "grid")
            picture.text(left - 8, y + 4, f"{tick:,g}" if tick < 1e6 else f"{tick:,.0f}", "end")
        for count in clients:
            picture.line(self.x(count), bottom, self.x(count), bottom + 4, "axis")
            picture.text(self.x(count), bottom + 18, str(count))
        picture.line(left, bottom, left + PANEL_WIDTH, bottom, "axis")
        picture.text(left + PANEL_WIDTH / 2, bottom + 38, "clients")
        picture.text(left - 54, TOP + PANEL_HEIGHT / 2, label, turned=True)

    def x(self, count):
        low, high = math.log(self.clients[0]), math.log(self.clients[-1])
        part = (math.log(count) - low) / (high - low) if high > low else 0.5
        return self.left + 12 + part * (PANEL_WIDTH - 24)

    def y(self, value):
        return TOP + PANEL_HEIGHT * (1 - self.scale.part(value))

    def curve(self, values, kind):
        points = [(self.x(count), self.y(value)) for count, value in values]
        self.picture.path(points, kind)
        for x, y in points:
            self.picture.marker(x, y, kind)


def draw_skew(study, skew, path):
    """Throughput on the left, p99 on the right, one line per strategy."""
    curves = {name: {strategy: [(clients, value) for clients in study.clients
                                if (value := read(strategy, clients, skew)) is not None]
                     for strategy in study.strategies}
              for name, read in (("throughput", study.throughput), ("p99", study.p99))}
    highest = max(value for curve in curves["throughput"].values() for _, value in curve)
    p99s = [value for curve in curves["p99"].values() for _, value in curve]
    scales = {"throughput": LinearScale(highest), "p99": LogarithmicScale(min(p99s), max(p99s))}
    labels = {"throughput": "increments per second", "p99": "p99 latency in ms (log scale)"}
    width = LEFT + 2 * PANEL_WIDTH + GAP + RIGHT
    picture = Picture(width, TOP + PANEL_HEIGHT + BOTTOM, f"Keys: {skew_title(skew)}")
    draw_legend(picture, study.strategies, width)
    for position, name in enumerate(curves):
        panel = Panel(picture, LEFT + position * (PANEL_WIDTH + GAP), study.clients, scales[name], labels[name])
        for strategy, curve in curves[name].items():
            panel.curve(curve, strategy)
    picture.write(path)


def draw_legend(picture, strategies, width):
    step = 120
    x = (width - step * len(strategies)) / 2
    for position, strategy in enumerate(strategies):
        left = x + position * step
        picture.path([(left, 44), (left + 24, 44)], strategy)
        picture.marker(left + 12, 44, strategy)
        picture.text(left + 30, 48, strategy, "start")


def draw_heat_map(study, path):
    """Hybrid against the better of the other two; False if there is nothing to compare."""
    if all(study.advantage(*point) is None for point in study.points()):
        return False
    cell_width, cell_height, left, top = 78, 34, 100, 66
    width = left + cell_width * len(study.clients) + 24
    height = top + cell_height * len(study.skews) + 76
    picture = Picture(width, height, "Throughput of hybrid against the better of the other two")
    picture.text(left + cell_width * len(study.clients) / 2, 46, "clients")
    for column, clients in enumerate(study.clients):
        picture.text(left + cell_width * (column + 0.5), top - 4, str(clients))
    for row, skew in enumerate(study.skews):
        picture.text(left - 10, top + cell_height * (row + 0.5) + 4, skew_title(skew), "end")
        for column, clients in enumerate(study.clients):
            draw_cell(picture, left + cell_width * column, top + cell_height * row, cell_width, cell_height,
                      study.advantage(clients, skew))
    bottom = top + cell_height * len(study.skews)
    picture.cell(left, bottom + 18, 16, 16, "gain", 0.55)
    picture.text(left + 24, bottom + 31, "hybrid is faster; full colour from +100 % on", "start")
    picture.cell(left, bottom + 42, 16, 16, "loss", 0.55)
    picture.text(left + 24, bottom + 55, "hybrid is slower; full colour from −30 % on", "start")
    picture.write(path)
    return True


def draw_cell(picture, x, y, width, height, advantage):
    if advantage is None:
        picture.text(x + width / 2, y + height / 2 + 4, "–")
        return
    value, best = advantage
    strength = min(value, 1) if value >= 0 else min(-value / 0.3, 1)
    picture.cell(x + 1, y + 1, width - 2, height - 2, "gain" if value >= 0 else "loss", 0.05 + 0.5 * strength)
    picture.text(x + width / 2, y + height / 2 + 4, f"{signed_percent(value)} {best[0]}")


def signed_percent(value):
    text = f"{abs(value) * 100:.0f} %"
    return text if text == "0 %" else ("+" if value > 0 else "−") + text
