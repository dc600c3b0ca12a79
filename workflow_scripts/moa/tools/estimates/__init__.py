"""Estimates made from a config alone, before anything is run: memory per GPU and GPU-hours."""
