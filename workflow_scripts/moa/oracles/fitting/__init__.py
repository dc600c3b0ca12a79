"""What the fitted oracles learn from, an objective each: human labels and constructed pairs."""
