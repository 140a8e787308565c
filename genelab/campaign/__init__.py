"""Campaigns: queues of trainings towards targets. Intent and decisions are stored, progress is derived."""
