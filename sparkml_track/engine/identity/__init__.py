"""What a sweep is made of.

fingerprint     spec, space, data, code and packages as digests
data_digest     the content of one entry of ``data``
objective_code  what an objective reaches
user_modules    user modules: which they are, their text, their imports
source          what is searched, as files that a person can read
"""
