"""Causes: what many rejects have in common, and the options that cure it."""

from pgsluice.pipeline.rejects.causes.counting import Causes as Causes
