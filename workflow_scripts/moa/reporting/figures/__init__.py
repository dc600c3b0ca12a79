"""Figures: one file per figure and one shared style. No torch, no transformers."""
