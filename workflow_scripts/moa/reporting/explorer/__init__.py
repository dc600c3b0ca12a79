"""The response explorer: a task's responses and rewards in one page, which opens from disk."""
