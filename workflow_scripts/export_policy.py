"""Write a trained policy as a folder that plain transformers and peft load, with a model card.

    python workflow_scripts/export_policy.py --policy results/synthetic/safety/policies/mi_epo-s0 --out mine

Without --merged: adapters, on the hub's base by its id, or on a copy of what the workflow made. With it:
one whole model; of merged experts it is for one preference, --w. Nothing is uploaded: README.md there is a
card as the hub reads it, and `hf upload <you>/<name> mine` is yours to run.
"""

import os
import sys
import warnings
from pathlib import Path

from moa.runtime.errors import JobError
from moa.tools.policies.described import find_policy, policy_parser


def main() -> None:
    parser = policy_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--seed", type=int, help="where the path names none")
    parser.add_argument("--merged", action="store_true", help="one whole model, without adapters")
    parser.add_argument("--w", nargs="+", metavar="WEIGHT", help="of a merged model of experts")
    args = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    try:
        policy = find_policy(args.policy, args.seed)
        warnings.simplefilter("ignore")  # libraries that speak of their own future
        # Late, so that a path that is wrong is told at once.
        from moa.tools.export.exported import what_to_export
        from moa.tools.export.folder import export

        export(what_to_export(policy, args.merged, args.w), args.out)
    except JobError as error:
        sys.exit(str(error))
    print(f"{policy.title}: {args.out}; its README.md is the model card, usage.py asks it")


if __name__ == "__main__":
    main()
