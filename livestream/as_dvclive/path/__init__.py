"""What stands in front of a child process's path, so that its ``dvclive`` is ours (see the ``finder``)."""
