"""The run directory: records, outputs, where its photos come from, the disk that it needs."""
