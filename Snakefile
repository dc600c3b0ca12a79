"""MI-EPO and its baselines, from data to Pareto fronts. See README.md."""

from snakemake.utils import min_version

min_version("9.27")


# Snakemake merges --configfile into a config loaded here, so the default would leak into others.
if not workflow.configfiles:

    configfile: "config/synthetic.yaml"


include: "rules/common.smk"
include: "rules/hub.smk"
include: "rules/data.smk"
include: "rules/oracles.smk"
include: "rules/sft.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/policies.smk"
include: "rules/figures.smk"
include: "rules/tables.smk"
include: "rules/explorer.smk"
include: "rules/views.smk"
include: "rules/report.smk"
include: "rules/check.smk"
include: "rules/ending.smk"


rule all:
    default_target: True
    input:
        shown,
