"""What the slots of one host share.

folder     blobs that were fetched once, and the way to the template
template_spec  what the template is started with
share      shares in that folder, and when it goes
lock       the one lock that keeps other processes of this host out
paths      where attempts leave files
plugin     the store of slots, as MLflow finds it
temporary  the temporary folder of each process that executes attempts
trees      trees of files of any shape: walked within bounds, removed whatever they are
"""
