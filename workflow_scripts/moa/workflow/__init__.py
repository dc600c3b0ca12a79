"""What a config plans: its runs, the entries they need, and their keys. No job imports it."""
