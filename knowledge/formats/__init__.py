"""One module per family of files, run in the reading process: no Django, no trust in the input."""
