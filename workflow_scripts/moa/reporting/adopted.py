"""What figures and tables say of entries that were adopted: not made by the code of today."""

from __future__ import annotations

from collections.abc import Sequence


def adopted_notes(entries: Sequence[str]) -> list[str]:
    """One note with the number of adopted entries; none if there are none."""
    if not entries:
        return []
    number = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    return [f"Adopted without being made again: {number} (each one's manifest.json says why)."]
