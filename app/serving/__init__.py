"""How the page meets the network: who visits, what each may reach, and what becomes of what they send.

Of the rest of the app only ``server`` imports anything: the page as a whole. Tabs ask ``visitors`` who is visiting.
"""
