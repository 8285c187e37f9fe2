"""The paper's published figures, and its tables and Figure 3 run end to end on one's own pair of data sets.

May import: pretext, recognition, training, reports.
"""
