"""The report: results kept as JSON, and the page and the plot made of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

from bench.check import KINDS

BY_HAND = "<!-- Below this line the page is written by hand; above it, by `make bench`. -->"

_HEAD = """# Benchmarks

Made by `make bench` (see [how to run it](how-to/benchmark.md)): pgsluice and others load the same files
into the same schema on one server, in turn, in rounds; every run is a whole process against a running
server and a database made just before, after a CHECKPOINT. What each left is compared with what
PostgreSQL's own COPY makes of the files, by count and checksum for each table, and with the schema's
keys, indexes, foreign keys and CHECKs.

*seconds* is the median; *of pgsluice* the median of the ratios within each round (above 1: slower than
pgsluice); *server CPU* and *client CPU* the user and system time that each side spent, *a GB* the client's for each
GB of CSV; *peak* the client's resident
memory (from 40 MB on; below, it is the benchmark's own); *left* what the load left: "all" rows, keys,
indexes, foreign keys and CHECKs, or what is missing.
"""


def keep(path: Path, result: dict[str, Any]) -> None:
    """Puts a workload's result into the file, in place of an older one: rounds of two days are no pairs."""
    results = _read(path) | {result["workload"]: result}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def write(results: Path, page: Path, bench_bin: Path) -> None:
    """Makes the page anew; what was written by hand at its end stays."""
    found = _read(results)
    if not found:
        return
    tail = ""
    if page.exists() and BY_HAND in page.read_text():
        tail = page.read_text().split(BY_HAND, 1)[1]
    plot = page.with_suffix(".svg")
    picture = f"![Seconds of each competitor]({plot.name})\n" if _plot(results, plot, bench_bin) else ""
    parts = [_HEAD, picture, *(_workload(found[name]) for name in sorted(found)), _notes(found)]
    page.write_text("\n".join(parts) + f"\n{BY_HAND}{tail or chr(10)}")


def _plot(results: Path, plot: Path, bench_bin: Path) -> bool:
    """The plot needs matplotlib, which lives with the competitors; without it an older plot stays."""
    script = Path(__file__).parent / "tools" / "plot.py"
    try:
        done = subprocess.run([str(bench_bin / "python"), str(script), str(results), str(plot)], check=False)
    except OSError:
        return plot.exists()
    return done.returncode == 0 or plot.exists()


def summary(result: dict[str, Any], name: str) -> dict[str, float] | None:
    """Medians of a competitor's runs, and of its ratios to pgsluice's runs of the same rounds."""
    runs = result["competitors"][name]["runs"]
    if not runs:
        return None
    base = {r["round"]: r["wall"] for r in result["competitors"].get("pgsluice", {}).get("runs", [])}
    ratios = [r["wall"] / base[r["round"]] for r in runs if r["round"] in base]
    return {
        "wall": median(r["wall"] for r in runs),
        "low": min(r["wall"] for r in runs),
        "high": max(r["wall"] for r in runs),
        "cpu": median(r["cpu"] for r in runs),
        "server_cpu": median(r["server_cpu"] or 0 for r in runs),
        "peak_mb": max(r["peak_mb"] for r in runs),
        "ratio": median(ratios) if ratios else 0.0,
        "runs": len(runs),
    }


def _workload(result: dict[str, Any]) -> str:
    size = result["bytes"]
    busy = max((r["load"] for c in result["competitors"].values() for r in c["runs"]), default=0)
    lines = [
        f"## {result['title']}",
        "",
        f"{result['rows']:,} rows, {size / 1e6:,.0f} MB"
        + (f", {result['rejects']:,} of the rows to be rejected" if result["rejects"] else "")
        + f". PostgreSQL {result['server']}, {result['when']}; load average up to {busy:.1f} before a run"
        + (", other work was going on." if busy > 1.5 else "."),
        "",
        "| | seconds | least to most | of pgsluice | server CPU s | client CPU s | a GB | peak MB | left |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    done = {name: s for name in result["competitors"] if (s := summary(result, name))}
    for name, s in sorted(done.items(), key=lambda item: item[1]["wall"]):
        entry = result["competitors"][name]
        lines.append(
            f"| {entry['title']} | {s['wall']:.2f} | {s['low']:.2f}–{s['high']:.2f} | {s['ratio']:.2f}"
            f" | {s['server_cpu']:.2f} | {s['cpu']:.2f}"
            f" | {s['cpu'] / (size / 1e9):.1f} | {s['peak_mb']:.0f} | {_left(entry)} |"
        )
    for entry in result["competitors"].values():
        if "skipped" in entry:
            lines += ["", f"Not run: {entry['title']}: {' '.join(entry['skipped'].split())}"]
    profile = _profile(result)
    return "\n".join([*lines, *profile, ""])


def _left(entry: dict[str, Any]) -> str:
    differs = dict(entry.get("differs", {}))
    if "wrong" in entry:
        differs["rejects"] = entry["wrong"]
    if not differs:
        return "all"
    kinds = [kind for kind in ("rejects", "rows", *KINDS) if kind in differs]
    return "; ".join(f"{kind}: {differs[kind]}" for kind in kinds)


def _profile(result: dict[str, Any]) -> list[str]:
    """Where pgsluice's median run spent its time."""
    runs = result["competitors"].get("pgsluice", {}).get("runs", [])
    if not runs or not runs[0].get("profile"):
        return []
    run = sorted(runs, key=lambda r: r["wall"])[len(runs) // 2]
    phases: dict[str, float] = {}
    for phase in run["profile"]:
        phases[phase["phase"]] = phases.get(phase["phase"], 0.0) + phase["seconds"]
    inside = run["seconds"]
    phases = dict(sorted(phases.items(), key=lambda item: -item[1]))
    words = ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items())
    return ["", f"pgsluice's phases in seconds: start and end of the process {run['wall'] - inside:.2f}, {words}."]


def _notes(results: dict[str, Any]) -> str:
    lines = ["## Versions and settings", ""]
    seen: dict[str, tuple[str, str]] = {}
    for result in results.values():
        for entry in result["competitors"].values():
            seen[entry["title"]] = (entry.get("version", "not installed"), entry["note"])
    lines += [f"- {title}: {version}" + (f"; {note}" if note else "") for title, (version, note) in seen.items()]
    newest = max(results.values(), key=lambda r: r["when"])
    machine = newest["machine"]
    lines += [
        "",
        f"Machine: {machine['cores']} cores of {machine['cpu'] or 'an unnamed processor'}, {machine['memory_gb']} GB,"
        f" {machine['system']}, Python {machine['python']}; client and server on the same machine, by Unix socket.",
        "",
        "The server's settings, the embedded server's defaults, the same for everybody: "
        + ", ".join(f"`{name} = {value}`" for name, value in newest["settings"].items())
        + ".",
        "",
    ]
    return "\n".join(lines)
