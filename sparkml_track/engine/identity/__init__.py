"""What a sweep is made of, so that a resumed one is known to be the same.

fingerprint      spec, space, data, code and packages, and how two of them differ
data_digest      the content of one entry of ``data``
objective_code   what an objective reaches in its module
user_modules     which modules are the user's own
"""
