"""Storage that may be slow or away.

shared_folders  what a sweep leaves under ``checkpoint_root`` and ``artifact_root``
waiting         waiting that a signal ends
"""
