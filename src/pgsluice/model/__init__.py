"""Frozen dataclasses that all packages share; they hold values and small properties derived from them.

Read them in the order of a row's way: a :class:`SourceFile` with its :class:`Dialect`, a :class:`Table` of the
catalog, the :class:`Plan` that joins files and tables, and the :class:`RunResult` that ``pgsluice load --json`` prints.
"""

from pgsluice.model.catalog import Column as Column
from pgsluice.model.catalog import Constraint as Constraint
from pgsluice.model.catalog import Index as Index
from pgsluice.model.catalog import Obstacle as Obstacle
from pgsluice.model.catalog import ObstacleKind as ObstacleKind
from pgsluice.model.catalog import Table as Table
from pgsluice.model.catalog import TableName as TableName
from pgsluice.model.dialect import BLANKS as BLANKS
from pgsluice.model.dialect import Dialect as Dialect
from pgsluice.model.dialect import DialectOptions as DialectOptions
from pgsluice.model.dialect import Format as Format
from pgsluice.model.dialect import LineEnds as LineEnds
from pgsluice.model.dialect import Ragged as Ragged
from pgsluice.model.files import FileIdentity as FileIdentity
from pgsluice.model.files import IgnoredFile as IgnoredFile
from pgsluice.model.files import Place as Place
from pgsluice.model.files import SourceFile as SourceFile
from pgsluice.model.formats import DATE_ORDERS as DATE_ORDERS
from pgsluice.model.formats import EXCEL as EXCEL
from pgsluice.model.formats import ColumnFormat as ColumnFormat
from pgsluice.model.formats import FormatRule as FormatRule
from pgsluice.model.options import FieldOptions as FieldOptions
from pgsluice.model.options import Limit as Limit
from pgsluice.model.options import Limits as Limits
from pgsluice.model.options import LoadOptions as LoadOptions
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
from pgsluice.model.results import Check as Check
from pgsluice.model.results import FileResult as FileResult
from pgsluice.model.results import PhaseTime as PhaseTime
from pgsluice.model.results import PurgeResult as PurgeResult
from pgsluice.model.results import QueryResult as QueryResult
from pgsluice.model.results import Reject as Reject
from pgsluice.model.results import RejectGroup as RejectGroup
from pgsluice.model.results import RejectsResult as RejectsResult
from pgsluice.model.results import RunResult as RunResult
from pgsluice.model.results import RunStatus as RunStatus
from pgsluice.model.results import RunSummary as RunSummary
from pgsluice.model.results import TableResult as TableResult
from pgsluice.model.results import VerifyResult as VerifyResult
from pgsluice.model.settings import ColumnRule as ColumnRule
from pgsluice.model.settings import Setting as Setting
from pgsluice.model.verdict import RejectKind as RejectKind
from pgsluice.model.verdict import Verdict as Verdict
