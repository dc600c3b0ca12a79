"""From metrics to what people read: figures and tables. Imports no torch."""
