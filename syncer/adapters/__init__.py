"""One module or folder for each outside system, the only importer of its client."""
