"""MLflow's scoring protocol: from the body of a request to typed columns, and from answers to JSON.

bodies   the forms that a body may have
columns  columns in the types that a model takes
params   what a request gives beside rows
refused  a request that cannot be answered, and why
answers  what a model gave, as JSON
"""
