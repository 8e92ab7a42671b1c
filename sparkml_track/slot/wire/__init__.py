"""Between driver, worker, template and child.

messages  all messages, and their one codec
attempt_messages  those about one attempt
template_messages  those between a worker and the template of its host
frames    framing, handshake and message authentication
json_text JSON without blanks, written fast
address   how to reach the driver, and whether it is still there
load      how much longer things take on this machine than on an idle one
tls       TLS 1.3 with one certificate pinned
"""
