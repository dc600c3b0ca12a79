"""What random numbers are for: a number in every seed, so that no two purposes share a stream."""

from __future__ import annotations

from enum import IntEnum


class Stream(IntEnum):
    """Second entry of a seed [run seed, stream, step or round or vector, prompt id].

    The numbers are part of what was trained and sampled: never change one, only add. SFT's draws came
    before them and have a seed of another form, [run seed, prompt id, number of the text].
    """

    ONLINE_WEIGHTS = 1  # w+ and w- of a prompt at a step
    ONLINE_RESPONSES = 2  # the two responses of a prompt at a step
    EVALUATION = 3  # the response of a test prompt under a vector
    RIC_WEIGHTS = 4  # the preference whose goal a prompt is asked for in a round
    RIC_RESPONSES = 5  # its response
    EXPERT_RESPONSES = 6  # the responses of a prompt at a step of an expert
