"""What a report needs of a run, read from its lineage and its summary alone."""

from __future__ import annotations

from pathnet_evo.report.data.contents import Failure, ReportData, Usage, read_report_data
from pathnet_evo.report.data.lines import Curve
from pathnet_evo.report.data.stages import StageView

__all__ = ["Curve", "Failure", "ReportData", "StageView", "Usage", "read_report_data"]
