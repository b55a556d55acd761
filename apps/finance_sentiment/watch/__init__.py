"""Watching a stream: what comes in is answered by the model and counted, surges of bad news become alerts, and a crash loses and repeats nothing.

`engine.Engine` decides, from items and the model's answers alone; `store.Store` keeps what it knows; `loop.watch` joins them to sources and outputs.
"""
