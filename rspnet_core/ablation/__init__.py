"""The paper's tables and Figure 3, run end to end on any pair of an unlabelled and a labelled data set."""
