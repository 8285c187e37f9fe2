"""The paper's published figures; its tables and Figure 3 run end to end on one's own data; pretext tasks compared.

May import: pretext, recognition, training, reports.
"""
