"""What ``livestream demo`` trains: a small network on Fisher's irises, in plain Python."""
