"""Failures that a message explains fully: the thing, the cause and the mend."""

from __future__ import annotations


class JobError(RuntimeError):
    """What a job was given cannot be worked with; it ends with this one message and publishes nothing."""


class ConfigError(ValueError):
    """A config that cannot be run: the message names the key, what is wrong and how to mend it."""


class NotInstalled(ConfigError):
    """A config that needs a package which is not installed: the message names it and the command."""
