"""Asking a trained policy: which one, under which preference, and what it says."""
