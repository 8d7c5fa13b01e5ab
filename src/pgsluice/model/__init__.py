"""Frozen dataclasses that all packages share; they hold values and small properties derived from them.

Read them in the order of a row's way: a :class:`SourceFile` with its :class:`Dialect`, a :class:`Table` of the
catalog, the :class:`Plan` that joins files and tables, and the :class:`RunResult` that ``pgsluice load --json`` prints.

The classes of :mod:`pgsluice.model.inference` are imported when one of them is first used (PEP 562), because a load
needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgsluice.model.catalog import Column as Column
from pgsluice.model.catalog import Constraint as Constraint
from pgsluice.model.catalog import Index as Index
from pgsluice.model.catalog import Obstacle as Obstacle
from pgsluice.model.catalog import ObstacleKind as ObstacleKind
from pgsluice.model.catalog import Table as Table
from pgsluice.model.catalog import TableName as TableName
from pgsluice.model.catalog import text_column as text_column
from pgsluice.model.options import FieldOptions as FieldOptions
from pgsluice.model.options import Limit as Limit
from pgsluice.model.options import Limits as Limits
from pgsluice.model.options import LoadOptions as LoadOptions
from pgsluice.model.plan import Estimate as Estimate
from pgsluice.model.plan import FilePlan as FilePlan
from pgsluice.model.plan import Mode as Mode
from pgsluice.model.plan import Modes as Modes
from pgsluice.model.plan import Plan as Plan
from pgsluice.model.plan import Strategy as Strategy
from pgsluice.model.plan import TablePlan as TablePlan
from pgsluice.model.progress import Listener as Listener
from pgsluice.model.progress import Phase as Phase
from pgsluice.model.progress import Progress as Progress
from pgsluice.model.progress import ignore_progress as ignore_progress
from pgsluice.model.quality.derived import Definition as Definition
from pgsluice.model.quality.derived import Derived as Derived
from pgsluice.model.quality.derived import DerivedAction as DerivedAction
from pgsluice.model.quality.derived import DerivedIndex as DerivedIndex
from pgsluice.model.quality.derived import DerivedResult as DerivedResult
from pgsluice.model.quality.derived import Made as Made
from pgsluice.model.quality.derived import Materialization as Materialization
from pgsluice.model.quality.drift import ColumnDrift as ColumnDrift
from pgsluice.model.quality.drift import DriftKind as DriftKind
from pgsluice.model.quality.drift import DriftMode as DriftMode
from pgsluice.model.quality.drift import DriftModes as DriftModes
from pgsluice.model.quality.guests import DBT as DBT
from pgsluice.model.quality.guests import Guest as Guest
from pgsluice.model.quality.guests import GuestNode as GuestNode
from pgsluice.model.quality.guests import GuestResult as GuestResult
from pgsluice.model.quality.profile import ColumnProfile as ColumnProfile
from pgsluice.model.quality.report import GroupNote as GroupNote
from pgsluice.model.quality.report import ReportFile as ReportFile
from pgsluice.model.quality.report import ReportKey as ReportKey
from pgsluice.model.quality.report import ReportTable as ReportTable
from pgsluice.model.quality.report import ReportWarning as ReportWarning
from pgsluice.model.quality.report import RunNotes as RunNotes
from pgsluice.model.quality.report import RunReport as RunReport
from pgsluice.model.quality.rules import Drift as Drift
from pgsluice.model.quality.rules import GenericTest as GenericTest
from pgsluice.model.quality.rules import Measure as Measure
from pgsluice.model.quality.rules import PlannedRule as PlannedRule
from pgsluice.model.quality.rules import RowRule as RowRule
from pgsluice.model.quality.rules import RuleResult as RuleResult
from pgsluice.model.quality.rules import Rules as Rules
from pgsluice.model.quality.rules import SetRule as SetRule
from pgsluice.model.quality.rules import Severity as Severity
from pgsluice.model.reading.dialect import BLANKS as BLANKS
from pgsluice.model.reading.dialect import Dialect as Dialect
from pgsluice.model.reading.dialect import DialectOptions as DialectOptions
from pgsluice.model.reading.dialect import Format as Format
from pgsluice.model.reading.dialect import LineEnds as LineEnds
from pgsluice.model.reading.dialect import Ragged as Ragged
from pgsluice.model.reading.files import FileIdentity as FileIdentity
from pgsluice.model.reading.files import IgnoredFile as IgnoredFile
from pgsluice.model.reading.files import Place as Place
from pgsluice.model.reading.files import SourceFile as SourceFile
from pgsluice.model.reading.findings import DoctorResult as DoctorResult
from pgsluice.model.reading.findings import Finding as Finding
from pgsluice.model.reading.findings import State as State
from pgsluice.model.reading.formats import DATE_ORDERS as DATE_ORDERS
from pgsluice.model.reading.formats import EXCEL as EXCEL
from pgsluice.model.reading.formats import ColumnFormat as ColumnFormat
from pgsluice.model.reading.formats import FormatRule as FormatRule
from pgsluice.model.reading.readings import CandidateDialect as CandidateDialect
from pgsluice.model.reading.readings import Findings as Findings
from pgsluice.model.reading.readings import PassedOver as PassedOver
from pgsluice.model.results import Check as Check
from pgsluice.model.results import FileResult as FileResult
from pgsluice.model.results import Mark as Mark
from pgsluice.model.results import PhaseTime as PhaseTime
from pgsluice.model.results import PurgeResult as PurgeResult
from pgsluice.model.results import QueryResult as QueryResult
from pgsluice.model.results import Reject as Reject
from pgsluice.model.results import RejectGroup as RejectGroup
from pgsluice.model.results import RejectSheet as RejectSheet
from pgsluice.model.results import RejectsResult as RejectsResult
from pgsluice.model.results import RunResult as RunResult
from pgsluice.model.results import RunStatus as RunStatus
from pgsluice.model.results import RunSummary as RunSummary
from pgsluice.model.results import TableResult as TableResult
from pgsluice.model.results import VerifyResult as VerifyResult
from pgsluice.model.settings import ColumnRule as ColumnRule
from pgsluice.model.settings import RunColumns as RunColumns
from pgsluice.model.settings import Setting as Setting
from pgsluice.model.target import DroppedRelation as DroppedRelation
from pgsluice.model.target import ResetResult as ResetResult
from pgsluice.model.target import Target as Target
from pgsluice.model.verdict import RejectKind as RejectKind
from pgsluice.model.verdict import Verdict as Verdict

if TYPE_CHECKING:
    from pgsluice.model.inference import Certainty as Certainty
    from pgsluice.model.inference import InferredColumn as InferredColumn
    from pgsluice.model.inference import InferredForeignKey as InferredForeignKey
    from pgsluice.model.inference import InferredKey as InferredKey
    from pgsluice.model.inference import InferredSchema as InferredSchema
    from pgsluice.model.inference import InferredTable as InferredTable
    from pgsluice.model.inference import Proposal as Proposal
    from pgsluice.model.inference import Question as Question
    from pgsluice.model.inference import RowPlace as RowPlace
    from pgsluice.model.inference import SchemaDiff as SchemaDiff

_OF_INFERENCE = (
    "Certainty",
    "InferredColumn",
    "InferredForeignKey",
    "InferredKey",
    "InferredSchema",
    "InferredTable",
    "Proposal",
    "Question",
    "RowPlace",
    "SchemaDiff",
)


def __getattr__(name: str) -> Any:
    if name not in _OF_INFERENCE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pgsluice.model import inference

    found = globals()[name] = getattr(inference, name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *(name for name in _OF_INFERENCE if name not in globals())]
