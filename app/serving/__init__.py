"""How the page meets the network: who visits, what each may reach, and what becomes of what they send.

Imports nothing of ``app.page``'s tabs but the page as a whole (``app.main``); the tabs ask it who is visiting.
"""
