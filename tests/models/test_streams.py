"""The numbers of random streams are part of every result."""

from moa.models.sampling import sample_streams
from moa.models.streams import Stream


def test_no_number_changes():
    assert [(stream.name, stream.value) for stream in Stream] == [
        ("ONLINE_WEIGHTS", 1),
        ("ONLINE_RESPONSES", 2),
        ("EVALUATION", 3),
        ("RIC_WEIGHTS", 4),
        ("RIC_RESPONSES", 5),
        ("EXPERT_RESPONSES", 6),
    ]


def test_a_named_stream_draws_what_its_number_draws():
    named, plain = (sample_streams([(0, s, 7, 1)], 2, 3) for s in (Stream.EVALUATION, 3))
    assert (named == plain).all()
