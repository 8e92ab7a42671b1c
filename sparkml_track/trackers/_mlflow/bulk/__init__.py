"""The bulk endpoint of a server: many child runs in one call.

lane      writes child runs through it; all else through the public client
message   what goes over the wire, and what a server takes of it
receiver  what the server does with it
"""
