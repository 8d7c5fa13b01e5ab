"""Draws the results. ``python plot.py RESULTS.json PLOT.svg``."""

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "pgsluice"  # the same picture gives the same bytes
matplotlib.rcParams["svg.fonttype"] = "none"  # letters as letters, not as curves: a tenth of the size
import matplotlib.pyplot as plt  # noqa: E402

results = json.loads(Path(sys.argv[1]).read_text())
names = sorted(results)
figure, axes = plt.subplots(len(names), 1, figsize=(8, 1 + 1.9 * len(names)), squeeze=False)
for axis, name in zip(axes[:, 0], names, strict=True):
    rows = [
        (entry["title"], median(r["wall"] for r in entry["runs"]), key)
        for key, entry in results[name]["competitors"].items()
        if entry["runs"]
    ]
    rows.sort(key=lambda row: -row[1])
    colours = ["#c0504d" if k == "pgsluice" else "#b0b0b0" if k == "floor" else "#4f81bd" for _, _, k in rows]
    axis.barh([r[0] for r in rows], [r[1] for r in rows], color=colours)
    for place, row in enumerate(rows):
        axis.text(row[1], place, f" {row[1]:.2f} s", va="center", fontsize=7)
    axis.set_xscale("log" if rows and rows[0][1] > 15 * rows[-1][1] else "linear")
    axis.margins(x=0.15)
    axis.set_title(results[name]["title"], fontsize=8, loc="left")
    axis.tick_params(labelsize=7)
figure.tight_layout()
figure.savefig(sys.argv[2], metadata={"Date": None})
