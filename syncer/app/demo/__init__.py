"""A running example on one machine: embedded servers, a model, and real text."""
