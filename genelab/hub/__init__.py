"""Entries and policies on the Hugging Face Hub: push, pull, list, verify."""
