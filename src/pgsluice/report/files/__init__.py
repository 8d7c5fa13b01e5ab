"""The report of a run as files: an HTML page that needs no other file and no network, and JUnit XML."""

from pgsluice.report.files.junit import as_junit as as_junit
from pgsluice.report.files.page import render as render
