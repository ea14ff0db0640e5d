"""What a model costs: the machine, parameters, operations, bytes, memory, time, money, and the ledger."""
