"""Make the tiny models and data sets that config/rehearsal.yaml and one_gpu_rehearsal.yaml run on.

Out: one folder per model and data set, with the same content every time.
"""

import argparse
from pathlib import Path

from moa.tools.rehearsal import make


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to fill")
    args = parser.parse_args()
    print(f"{args.out}: {', '.join(make(args.out))}")


if __name__ == "__main__":
    main()
