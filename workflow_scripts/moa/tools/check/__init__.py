"""Whether what a config brings works together: `make check`. Base, tokenizer, oracles and data are loaded
for real, and what is silently wrong elsewhere is looked for."""
