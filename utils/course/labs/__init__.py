"""The labs: what a learner's functions are checked by (`checks`, a module of tasks for each lab), and the learner's own
copies of them (`workbook`). Masters and releases lie in `labs/`; authors make the one from the other.
"""
