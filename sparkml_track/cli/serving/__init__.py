"""The command ``serve``.

command  its options, and one process
workers  several processes behind one port
"""
