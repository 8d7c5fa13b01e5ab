"""The public functions, and the session that has them as methods. Their names are also in :mod:`pgsluice` itself.

Each function opens its own connections and closes them. Parameters that several functions share have the same meaning
everywhere; :func:`load` describes them most completely.
"""

from pgsluice.api.checking import doctor as doctor
from pgsluice.api.inferring import infer_schema as infer_schema
from pgsluice.api.inferring import schema_diff as schema_diff
from pgsluice.api.inspecting import purge_rejects as purge_rejects
from pgsluice.api.inspecting import reject_rows as reject_rows
from pgsluice.api.inspecting import reject_sheets as reject_sheets
from pgsluice.api.inspecting import rejects as rejects
from pgsluice.api.inspecting import run_report as run_report
from pgsluice.api.inspecting import runs as runs
from pgsluice.api.inspecting import verify as verify
from pgsluice.api.loading import load as load
from pgsluice.api.loading import plan as plan
from pgsluice.api.loading import replay as replay
from pgsluice.api.loading import resume as resume
from pgsluice.api.quality import check_rules as check_rules
from pgsluice.api.quality import derive as derive
from pgsluice.api.quality import rules as rules
from pgsluice.api.session import Session as Session
