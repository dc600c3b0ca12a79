"""Training: supervised fine-tuning, and online preference optimisation (MI-EPO, MO-ODPO)."""
