"""Tables, durations and sizes for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their cells need, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in (headers, *rows)
    )


def listed(names: Sequence[str], most: int) -> str:
    """Separated by commas; of more than `most`, how many more there are."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def duration(seconds: float) -> str:
    """In the unit that suits it: 75s, 12m, 3.2h, 2.1d."""
    for unit, length, limit in (("s", 1, 120), ("m", 60, 7200)):
        if seconds < limit:
            return f"{max(0.0, seconds) / length:.0f}{unit}"
    hours = seconds / 3600
    return f"{hours:.1f}h" if hours < 48 else f"{hours / 24:.1f}d"


def size(count: float) -> str:
    """Bytes in decimal units: 512 B, 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
