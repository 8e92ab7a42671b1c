"""What a sweep is made of.

fingerprint     spec, space, data, code and packages as digests
objective_code  what an objective reaches
user_modules    user modules: which they are, their text, their imports
"""
