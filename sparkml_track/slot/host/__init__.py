"""What the slots of one host share.

folder  blobs that were fetched once, and the way to the template
share   shares in that folder, and when it goes
paths   where attempts leave files
trees   trees of files of any shape: walked within bounds, removed whatever they are
"""
