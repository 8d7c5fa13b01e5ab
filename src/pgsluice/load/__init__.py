"""The load itself: stages, judges, builds, publishes, and keeps the books in schema ``pgsluice``."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """``pgsluice.load`` is the public function, too; importing anything from here must not take it away."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from pgsluice.load.api import load

        return load(*args, **options)


sys.modules[__name__].__class__ = _Package
