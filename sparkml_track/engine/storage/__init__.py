"""Storage that may be slow or away.

shared_folders  what a sweep leaves under ``checkpoint_root`` and ``artifact_root``
held_folder     a folder that one process holds while it lives
waiting         waiting that a signal ends
"""
