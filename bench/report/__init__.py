"""The report of runs: pure functions from rows to one document, and from it to HTML, Markdown and CSV."""
