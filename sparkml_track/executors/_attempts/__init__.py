"""Attempts and outcomes between the loop and slots.

messages          attempts and outcomes as messages
received          what slots say, checked before anything learns of it
judge             of running attempts, message by message
payloads          bytes that attempts are given and give back
logged            what they log through MLflow, likewise
said              what they say while attempts run, as events
outbox            events on their way to the loop, and the error that ends everything
not_started       attempts that found no process to begin in
package_versions  packages on the slots beside the driver's
"""
