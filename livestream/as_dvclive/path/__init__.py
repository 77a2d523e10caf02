"""What stands in front of a new process's path, so that its ``dvclive`` is ours."""
