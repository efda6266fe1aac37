"""Verified runs become leaderboards that anybody can recompute.

``verify`` recomputes every number of a run's folder, a published leaderboard or an audit from the kept scores, and
names what disagrees. ``publish`` merges runs that verify into one leaderboard a suite, with their ``provenance``.
"""
