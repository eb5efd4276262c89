"""What a timeline shows of a text."""

from gateway.features.customers.timeline import one_line
from hypothesis import given
from hypothesis import strategies as st

_SPACES = "\n\r\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029\u3000 "
_TEXTS = st.text() | st.text(st.sampled_from(_SPACES + "a中b")) | st.text(min_size=200, max_size=400)


@given(_TEXTS | st.none())
def test_the_first_line_that_says_something_on_one_line(text: str | None) -> None:
    lines = [" ".join(line.split()) for line in (text or "").splitlines() if line.strip()]
    shown = one_line(text)
    first = lines[0] if lines else ""
    assert len(shown) <= 120
    assert shown == first or (len(first) > 120 and shown == first[:119] + "…")
