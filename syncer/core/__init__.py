"""The words of syncer as frozen values and small functions: no input or output, standard library only.

The path of a change, which every way into the index takes:

    feed ──keys──▶ hydrate ──drafts──▶ embed ──documents──▶ write ──outcomes──▶ settle ──▶ checkpoint

A feed says *that* something changed (a `Change`: key, watermark, row version); hydration says what it is *now*
(a `Draft`, or nothing: then the key is removed). So duplicates, reordering and re-reading are harmless.

What keeps it from losing a row is in three small files:

    horizon.py   how far back a poll must read, and how far the checkpoint may follow
    window.py    which of the rows read again were delivered already
    outcome.py   what the answer to each write means, and whether it settles the key

The rest: `key` and `position` (where in a feed), `change` (what travels), `settlement` (checkpoint and dead letters,
one value committed at once), `comparison` (of an index with its table), `pace` (how much is sent at once), `field`
(what a document field is), `definition` and `fingerprint` (what an index was built from), `retry`, `report`, `fusion`
(reciprocal rank fusion) and `error` (every error there is).
"""
