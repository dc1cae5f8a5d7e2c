"""Searching the documents of a pipeline.

What a search asks of Elasticsearch, and makes of its answers, is written once, as a conversation: a generator that
yields what to ask and is sent what is answered. Two drivers hold it, one with a client that blocks and one with a
client of an event loop.
"""
