"""One module per ``technobench`` sub-command."""
