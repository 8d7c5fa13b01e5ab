"""The ways to spoil a file. To import this package registers them, whole files first."""

from bench.files.pollutions import around, delimiters, quotes  # noqa: F401, isort: skip
from bench.files.pollutions import encodings, values, rows  # noqa: F401, isort: skip
