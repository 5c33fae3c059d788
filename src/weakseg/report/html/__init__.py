"""report.html: a run as one file that opens anywhere (docs/report.md)."""
