"""A first configuration, made from what is in a database."""
