"""Before a row is read: which file feeds which table, in which order, with which strategy, under which locks."""
