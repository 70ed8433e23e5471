"""What a verb answers with: numbers with intervals, curves, tables, cost."""

from multigraft.contracts.report import Confused, Confusion, Cost, Measure, Report, WorstRow

__all__ = ["Confused", "Confusion", "Cost", "Measure", "Report", "WorstRow"]
