"""The commands of a config file.

voices      what these commands say: to a person, to a program, or nothing
command     ``run``, and the steps that have no options of their own
deploying   the step ``deploy``, and what has become of it
features    the step ``features``, and what else is done with features: ``features audit``, ``features publish``
publishing  the command ``features publish``
scoring     the step ``score``, also of rows as they come
retraining  the command ``retrain``
"""
