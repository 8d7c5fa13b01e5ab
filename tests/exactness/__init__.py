"""Exactness: what pgsluice stores and refuses is what PostgreSQL's own input stores and refuses.

``values`` makes the texts, ``columns`` names the columns they are put into and the settings under which,
``compare`` puts them in twice and compares, ``__main__`` does so for as many values as one likes, and
``test_values`` is the share of it that runs with the other tests.
"""
