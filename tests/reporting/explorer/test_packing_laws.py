"""Any texts come back as they were."""

from hypothesis import given
from hypothesis import strategies as st

from moa.reporting.explorer.packing import coded
from support.explorer_blocks import numbers


@given(st.lists(st.lists(st.text(), max_size=5), min_size=1, max_size=5))
def test_texts_are_their_words(texts):
    words, firsts, blocks = coded(texts)
    assert len(set(words)) == len(words) and firsts[0] == 0 and len(firsts) == len(blocks)
    coded_numbers = [number for block in blocks for number in numbers(block)]
    said = "".join("\0END" if number == 0 else words[number - 1] for number in coded_numbers)
    assert said == "".join(f"{text}\0END" for own in texts for text in own)
