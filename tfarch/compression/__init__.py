"""Smaller and faster models by recipe: stages of pruning and quantisation-aware training that the pipeline runs one after another."""
