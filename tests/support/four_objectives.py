"""Oracles of tests/four.yaml: they tell responses apart, and mean nothing."""


def brevity(prompts, responses):
    return [-float(len(y)) for y in responses]


def detail(prompts, responses):
    return [float(len(set(y.split()))) for y in responses]


def politeness(prompts, responses):
    return [float(sum(y.count(letter) for letter in "aeiou")) for y in responses]


def no_digits(prompts, responses):
    return [-float(sum(y.count(letter) for letter in "rst")) for y in responses]
