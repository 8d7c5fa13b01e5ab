"""The pipeline: everything that happens between a call of ``load`` and the published tables.

``run`` makes attempts. An attempt passes through ``plan``, ``ingest``, ``apply`` (which uses ``validate``) and
``publish``. ``rejects`` writes the report and replays it.
"""
