"""What pages show of tables and SQL.

asker   queries of one person, one at a time
answer  what a query gave: its rows, and what is said of them
broken  text that no table takes for an address
drawn   the rows as a chart
tables  the tables of the home, with columns and versions
past    queries that were asked
saved   queries in files of the project
opened  the text that the page begins with, and its parameters
"""
