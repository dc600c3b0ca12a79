"""What the tiny pipeline says at the terminal, held against its table."""

import re

import pandas as pd


def check_said(said: str, summary: pd.DataFrame) -> None:
    """said: all that a run printed that made everything. summary: the rows of its summary.csv."""
    assert re.search(r"steps \(\d+%\) done\nrunning: [a-z]+ \S+; more than \d+[smh] left\n", said)
    assert len(summary) == 4
    for method, row in summary.set_index("method").iterrows():
        hv = f"{row['hv']:.2f} [{row['hv_low']:.2f}, {row['hv_high']:.2f}]"
        assert re.search(rf"^{method}( \(!\))? +{re.escape(hv)} ", said, flags=re.MULTILINE)
    assert "\nexplorer  results/tiny/safety/explorer.html\n" in said
