"""What a verb answers with: numbers with intervals, curves, tables, cost."""

from multigraft.report.records import Confusion, Cost, Measure, Report, WorstRow

__all__ = ["Confusion", "Cost", "Measure", "Report", "WorstRow"]
