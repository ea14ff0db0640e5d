"""What a model costs, and the ledger that keeps it.

`machine` describes the machine, `cost` counts, `pricing` turns rates into dollars, `timing` and `load` run the clock,
`memory` measures in a process of its own; `variant` names a way of running, `row_groups` and `ledger` hold what was
found, `plots*` and `ledger_table` show it. A figure goes into a group of a row, given or null with its reason; a new
group is added by whoever measures it, and nothing here changes. A time is never compared but by turns.
"""
