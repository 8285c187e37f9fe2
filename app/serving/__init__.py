"""How the page meets the network: who visits, what each may reach, and what becomes of what they send.

May import no other room.
"""
