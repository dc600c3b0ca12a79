"""From rewards to numbers: the metrics of runs, their intervals, and how runs compare."""
