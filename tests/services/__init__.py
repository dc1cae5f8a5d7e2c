"""Servers that tests run against: embedded ones by default, real ones where the environment names them."""
