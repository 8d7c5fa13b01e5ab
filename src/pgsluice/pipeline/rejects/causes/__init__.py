"""Causes: what many rejected values have in common, and the options that cure it."""

from pgsluice.pipeline.rejects.causes.counting import Causes as Causes
