"""Draw docs/images/conventions.svg: axes, azimuths, scan rotation and tilt."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Arc, Polygon, Rectangle, Wedge

INK, SOFT, ACCENT = "#222222", "#9aa4b0", "#c0392b"
TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "conventions.svg"


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str, color: str = INK) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.6})
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    ax.text(end[0] + 0.14 * dx / length, end[1] + 0.14 * dy / length, text, color=color, ha="center", va="center")


def image_axes(ax: Axes) -> None:
    ax.set_title("Image on the screen")
    ax.add_patch(Rectangle((-1, -1), 2, 2, fill=False, ec=INK, lw=1.5))
    for corner, text in (((-0.97, 0.88), "row 0, column 0"), ((-0.97, -0.95), "last row")):
        ax.text(*corner, text, fontsize=8, color=SOFT, va="center")
    arrow(ax, (0, 0), (0.75, 0), "x")
    arrow(ax, (0, 0), (0, 0.62), "y")
    ax.plot(0, 0, "o", color=INK, ms=9, mfc="white")
    ax.plot(0, 0, "o", color=INK, ms=3)
    ax.text(-0.16, -0.16, "z (to you)", ha="center", va="top")


def segments(ax: Axes, turn: float, title: str) -> None:
    ax.set_title(title)
    for name, start in zip("ABCD", (-45, 45, 135, 225), strict=True):
        first = start + turn
        face = "#f5c6bf" if name == "A" else "#e3e8ee"
        ax.add_patch(Wedge((0, 0), 1, first, first + 90, width=0.55, fc=face, ec=INK))
        middle = matplotlib.transforms.Affine2D().rotate_deg(first + 45).transform((0.72, 0))
        ax.text(*middle, name, ha="center", va="center")
    arrow(ax, (1.02, 0), (1.24, 0), "+x", SOFT)
    ax.plot([0, 0.42], [0, 0], color=SOFT, lw=1.6)
    if turn:
        ax.add_patch(Arc((0, 0), 0.7, 0.7, theta1=0, theta2=turn, color=ACCENT, lw=1.6))
        ax.text(0.07, 0.13, f"+{turn:.0f}", color=ACCENT, fontsize=9)
    else:
        ax.text(0, -1.22, "A: azimuth_deg [-45, 45], bright on slopes that face right", ha="center", fontsize=8)


def tilt(ax: Axes) -> None:
    ax.set_title("Stage tilt, seen from +x")
    ax.add_patch(Rectangle((-0.45, 0.75), 0.9, 0.22, fc="#e3e8ee", ec=INK))
    ax.text(0, 0.86, "pole piece", ha="center", va="center", fontsize=8)
    turn = matplotlib.transforms.Affine2D().rotate_deg(20)
    ax.add_patch(Polygon(turn.transform([(-1, -0.06), (1, -0.06), (1, 0.06), (-1, 0.06)]), fc="#d8d2c4", ec=INK))
    ax.plot([-1, 1], [0, 0], ":", color=SOFT)
    ax.add_patch(Arc((0, 0), 1.3, 1.3, theta1=0, theta2=20, color=ACCENT, lw=1.6))
    ax.text(0.76, 0.12, "+", color=ACCENT, fontsize=13, va="center")
    ax.text(1.0, 0.5, "top edge\nof the image", ha="center", fontsize=8)
    ax.text(-1.0, -0.56, "bottom edge", ha="center", fontsize=8)
    arrow(ax, (0, 0.07), (0, 0.46), "z")


def main() -> None:
    # Fixed salt and no date: the same drawing gives the same file.
    plt.rcParams.update({"svg.hashsalt": "conventions", "font.size": 10, "axes.titlesize": 11})
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.9))
    image_axes(axes[0])
    segments(axes[1], 0, "Segments, scan rotation 0")
    segments(axes[2], 30, "The same, scan rotation +30 degrees")
    tilt(axes[3])
    for ax in axes:
        ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
        ax.axis("off")
    figure.tight_layout()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
