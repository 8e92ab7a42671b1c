"""The main job: its steps, one after another.

audit         the leak check of the features
preflight     what a config file names is imported and checked before anything starts
project       a config file with what its steps need
lineage       what a step read and made
outcome       what a step gives, for the next step and for a person
reproduce     a trial of a sweep that a config file started, executed again
training_set  the rows of the training set, cut by time
retraining    a sweep that monitoring begins
deployment    an endpoint in the background, and what was put to work where
files         small files that are replaced whole
steps         prepare, features, sweep, register, deploy, score, monitor
"""
