"""Ask a trained policy: under one preference, or under several side by side.

    python workflow_scripts/chat.py --policy results/synthetic/safety/policies/mi_epo-s0 --w 0.3 0.7 "..."

The prompt is the last argument, or what comes by a pipe, or is asked for, line by line, until an empty one.
Every prompt stands alone. A response is sampled as the config says; to a test prompt, under one of the
evaluation's vectors, it is the one that the pipeline has.
"""

import argparse
import io
import os
import shutil
import sys
import warnings
from collections.abc import Callable

from moa.runtime.errors import JobError
from moa.tools.policies.described import Policy, find_policy, policy_parser
from moa.tools.policies.preference import check_preferences

CHANGE = "/w "  # a line that asks for another preference


def main() -> None:
    args = arguments()
    try:
        policy = find_policy(args.policy, args.seed)
        vectors = check_preferences(policy, args.w)
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # as arguments are: `answer` refuses it
        if args.prompt is None and not sys.stdin.isatty():
            args.prompt = sys.stdin.read()
        talk(policy, vectors, args)
    except JobError as error:
        sys.exit(str(error))


def arguments() -> argparse.Namespace:
    parser = policy_parser(__doc__)
    parser.add_argument(
        "--w",
        nargs="+",
        action="append",
        default=[],
        metavar="WEIGHT",
        help="a weight for each objective; say it again for another answer beside it",
    )
    parser.add_argument(
        "--seed", type=seed, help="of the random numbers; the policy's own, if not said"
    )
    parser.add_argument("--greedy", action="store_true", help="always the most probable token")
    parser.add_argument("--rewards", action="store_true", help="what each oracle thinks of it")
    parser.add_argument("prompt", nargs="?", help="in quotes; without it, stdin is read")
    args = parser.parse_args()
    # What stands after the weights is taken for one more of them.
    prompts = [w.pop() for w in args.w if not is_number(w[-1])]
    if prompts:
        if args.prompt is not None or len(prompts) > 1:
            parser.error(f"one prompt at a time, in quotes; {prompts[-1]!r} is one more")
        args.prompt = prompts[0]
    return args


def seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def talk(policy: Policy, vectors: list[list[float]], args: argparse.Namespace) -> None:
    # Late, so that what is wrong is told at once, and the hub is what `prefetch` left in the store.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(policy.store / "hub")}
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    warnings.simplefilter("ignore")  # libraries that speak of their own future
    from moa.tools.policies.asking import Asked
    from moa.tools.policies.rewards import Rewards
    from moa.tools.policies.shown import heading, plain, shown

    asked = Asked(policy)
    oracles = Rewards(policy) if args.rewards else None
    seed = policy.seed if args.seed is None else args.seed

    def respond(x: str, vectors: list[list[float]]) -> None:
        answers = [asked.answer(x, w, seed, args.greedy) for w in vectors]
        rewards = oracles.of(x, [a.response.text for a in answers]) if oracles else None
        heads = [heading(policy, w) for w in vectors]
        if cut := answers[0].left_out:
            limit = policy.told["generation"]["max_prompt_tokens"]
            print(
                f"the prompt is longer than the policy's {limit} tokens: its first {cut} characters "
                "were left out",
                file=sys.stderr,
            )
        width = shutil.get_terminal_size().columns
        print(shown(heads, answers, policy.objectives, width, rewards), flush=True)

    print(f"{policy.title}; {', '.join(policy.objectives)}", file=sys.stderr)
    if args.prompt is not None:
        respond(args.prompt.strip(), vectors)
    else:
        print(f"a test prompt: {plain(asked.example())}", file=sys.stderr)
        how = f"{CHANGE}0.3 0.7, 0.7 0.3: other preferences; an empty line: the end"
        print(how if policy.told["conditioned"] else "an empty line: the end", file=sys.stderr)
        converse(policy, vectors, respond)


def converse(
    policy: Policy,
    vectors: list[list[float]],
    respond: Callable[[str, list[list[float]]], None],
) -> None:
    """Prompts line by line, until an empty one; what is wrong with one ends nothing."""
    while line := _read():
        try:
            if line.startswith(CHANGE):
                asked = line.removeprefix(CHANGE).split(",")
                vectors = check_preferences(policy, [w.split() for w in asked])
            else:
                respond(line, vectors)
        except JobError as error:
            print(error, file=sys.stderr)


def _read() -> str:
    try:
        return input("> ").strip()
    except EOFError:
        return ""


if __name__ == "__main__":
    main()
