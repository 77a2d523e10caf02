"""What livestream costs, measured beside what it is compared with; see README.md."""
