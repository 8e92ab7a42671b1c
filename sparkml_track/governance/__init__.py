"""Who did what to which version of what, and who may: plain values and files, so that every floor can say it.

names       catalog.schema.object
principals  who this process is to the operating system
homes       the home that a folder of tables belongs to
spool       rows on their way into a system table
edges       what is read and made
sources     from what data was made
grants      who may read and change which tables
posix       grants as access lists of the tables' folders
audit       what was done, by whom, with what result
governor    all of it around one call that reads or writes a table
"""
