"""Policies: loading, prompting, sampling, merging, and how they are told the preference vector."""
