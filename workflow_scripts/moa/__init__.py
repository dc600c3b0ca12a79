"""moa: multi-objective alignment. The library behind the workflow; it knows nothing of Snakemake."""
